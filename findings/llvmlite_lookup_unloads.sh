#!/usr/bin/env bash
# Dropping the result of a lookup unloads the library that was looked into.
#
# Version: llvmlite 0.50.0, Python 3.11, x86-64 Linux.
# Expected: link() returns a ResourceTracker, and the library stays loaded while it is held.
#   lookup() answers with an address of the library and leaves the library as it is.
# Observed: lookup() returns a ResourceTracker of its own, and when that object goes, the library
#   is unloaded although link()'s tracker is still held. A later lookup finds no symbol, link()'s
#   tracker still gives the old address (which is not called here), and the name of the library
#   stays taken, so that the library cannot be linked again under it.
# Output seen:
#   lookup, its tracker kept: found
#   lookup again, both trackers held: found
#   lookup after those two trackers were dropped: Symbols not found: [ answer ]
#   address in link()'s tracker: unchanged
#   link again under the name: Library name `library' is already in use.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet 'llvmlite==0.50.0'
"$work/venv/bin/python" - <<'PY'
import gc
import sys

from llvmlite import binding

binding.initialize_native_target()
binding.initialize_native_asmprinter()
linker = binding.create_lljit_compiler()


def link():
    builder = binding.JITLibraryBuilder()
    builder.add_ir("define i32 @answer() { ret i32 42 }").export_symbol("answer")
    return builder.link(linker, "library")


def lookup():
    return linker.lookup("library", "answer")


def attempt(name, function):
    try:
        tracker, outcome = function(), "found"
    except RuntimeError as error:
        tracker, outcome = None, str(error)
    print(f"{name}: {outcome}")
    return tracker, outcome


linked = link()
address = linked["answer"]
first, one = attempt("lookup, its tracker kept", lookup)
second, two = attempt("lookup again, both trackers held", lookup)
del first, second
gc.collect()
_, three = attempt("lookup after those two trackers were dropped", lookup)
same = linked["answer"] == address
print("address in link()'s tracker:", "unchanged" if same else "changed")
_, four = attempt("link again under the name", link)
if (one, two, same) != ("found", "found", True):
    sys.exit("changed: the symbol is not found to begin with")
if "not found" not in three or "already in use" not in four:
    sys.exit("changed: the library outlives the tracker of a lookup")
PY
