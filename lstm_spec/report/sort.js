document.querySelectorAll(".sortable thead th").forEach(function (heading, column) {
  var button = document.createElement("button");
  button.textContent = heading.textContent;
  heading.replaceChildren(button);
  button.addEventListener("click", function () {
    var down = heading.getAttribute("aria-sort") === "ascending";
    var table = heading.closest("table");
    table.querySelectorAll("th[aria-sort]").forEach(function (other) { other.removeAttribute("aria-sort"); });
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    var body = table.tBodies[0];
    Array.from(body.rows).sort(function (first, second) {
      var order = first.cells[column].textContent.localeCompare(second.cells[column].textContent);
      return down ? -order : order;
    }).forEach(function (row) { body.append(row); });
  });
});
document.querySelectorAll('.sortable a[href^="#"]').forEach(function (link) {
  link.addEventListener("click", function () { document.querySelector(link.getAttribute("href")).open = true; });
});
