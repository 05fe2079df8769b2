// Look at pages as readers do: npm install axe-core puppeteer-core, then
//   node tests/browser/pages.mjs report.html overview.html
// Takes pictures at two widths, light and dark, and fails on console messages, requests, overflow and what axe finds.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(resolve("package.json"));
const puppeteer = await import(pathToFileURL(require.resolve("puppeteer-core")).href);
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const browser = await puppeteer.default.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});
const faults = [];
for (const file of process.argv.slice(2)) {
  for (const width of [1280, 390]) {
    for (const scheme of ["light", "dark"]) {
      const page = await browser.newPage();
      const say = (what) => faults.push(`${file} ${width} ${scheme}: ${what}`);
      page.on("console", (message) => say(message.text()));
      page.on("pageerror", (error) => say(error.message));
      page.on("request", (request) => /^(file|data):/.test(request.url()) || say(`asks for ${request.url()}`));
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      await page.setViewport({ width, height: 900 });
      await page.goto(pathToFileURL(resolve(file)).href);
      if (await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)) say("is wider than the window");
      await page.screenshot({ path: `${file.replace(/\.html$/, "")}-${width}-${scheme}.png`, fullPage: true });
      await page.evaluate(() => document.querySelectorAll("details").forEach((part) => { part.open = true; }));
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => axe.run());
      violations.forEach((found) => say(`${found.id}: ${found.help}, ${found.nodes[0].html}`));
      await page.close();
    }
  }
}
await browser.close();
faults.forEach((fault) => console.log(fault));
process.exit(faults.length ? 1 : 0);
