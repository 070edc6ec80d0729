// Shows the sources that a page of the reference has: the fields of records, with axes and units.
document$.subscribe(() => {
  document.querySelectorAll("details.mkdocstrings-source").forEach((part) => { part.open = true; });
});
