"""Reading a `.osim` file into what it says: XML, dialects, frames, joints, functions, refusals."""
