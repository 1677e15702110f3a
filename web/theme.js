/* A classic script, so that the chosen scheme stands before the first paint. */
{
  const chosen = localStorage.getItem("mentorspan.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}
