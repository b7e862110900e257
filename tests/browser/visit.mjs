// node visit.mjs SITE PATH... opens each path of the site at the address SITE, and prints what was seen, as JSON.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { DESKTOP, launch } from "./browser.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf-8");
const NARROW = { width: 320, height: 640 };
const STOPS = "a[href], button, audio, video, summary, [tabindex='0']";
const ENOUGH = 999;

const [site, ...paths] = process.argv.slice(2);
const browser = await launch();

/** What axe-core finds fault with: rule and elements. */
async function violations(page) {
  const { violations } = await page.evaluate(() => axe.run({ resultTypes: ["violations"] }));
  return violations.map(({ id, help, nodes }) => [id, help, ...nodes.map(({ html }) => html)]);
}

/** What has the focus, and whether somebody who looks at the page sees that; null at the end of the page. */
const focus = () => {
  const element = document.activeElement;
  if (element === document.body) return null;
  element.dataset.reached = "";
  const { width, height, top, bottom } = element.getBoundingClientRect();
  const { outlineStyle, outlineWidth } = getComputedStyle(element);
  const outlined = outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
  const inView = width > 1 && height > 1 && bottom > 0 && top < innerHeight;
  const ownLook = element.matches("audio, video");
  return { html: element.outerHTML.slice(0, 150), isSeen: inView && (outlined || ownLook) };
};

/** What the Tab key leads to, and what it does not lead to. */
async function walk(page) {
  const stops = [];
  for (let here; stops.length < ENOUGH; stops.push(here)) {
    await page.keyboard.press("Tab");
    here = await page.evaluate(focus);
    if (here === null) break;
  }
  const missed = await page.locator(STOPS).evaluateAll((elements) =>
    elements.filter((one) => !("reached" in one.dataset) && one.checkVisibility()).map((one) => one.outerHTML));
  return { stops, missed };
}

/** Whether the first stop of the Tab key leads past the head of the page. */
async function skip(page) {
  await page.reload();
  for (const key of ["Tab", "Enter", "Tab"]) await page.keyboard.press(key);
  return page.evaluate(() => document.activeElement.closest("main") !== null);
}

/** For each copy button, pressed by keyboard: its address, what is in the clipboard then, and what is said. */
async function copied(page) {
  const found = [];
  for (const button of await page.locator("button.copy:visible").all()) {
    await button.focus();
    await page.evaluate(() => navigator.clipboard.writeText("before"));
    await page.keyboard.press(found.length % 2 ? "Space" : "Enter");
    const said = await button.getAttribute("data-done");
    await page.getByRole("status").filter({ hasText: said }).waitFor();
    found.push([await button.getAttribute("value"), await page.evaluate(() => navigator.clipboard.readText())]);
  }
  return found;
}

/** What is visible on paper, of what only works on a screen; and the colours. */
async function printed(page) {
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  return page.evaluate(() => ({
    useless: [...document.querySelectorAll("nav, button, audio, video, .subscribe, .skip")]
      .filter((one) => one.checkVisibility())
      .map((one) => one.outerHTML.slice(0, 150)),
    colours: [getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor],
  }));
}

async function visit(path) {
  const seen = { console: [], requests: [] };
  const permissions = ["clipboard-read", "clipboard-write"];
  const context = await browser.newContext({ viewport: DESKTOP, colorScheme: "light", permissions });
  const page = await context.newPage();
  page.on("console", (message) => seen.console.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => seen.console.push(String(error)));
  page.on("request", (request) => seen.requests.push(request.url()));
  seen.status = (await page.goto(site + path)).status();
  await page.evaluate(axe);
  seen.light = await violations(page);
  await page.emulateMedia({ colorScheme: "dark" });
  seen.dark = await violations(page);
  seen.keyboard = await walk(page);
  seen.copied = await copied(page);
  seen.skips = await skip(page);
  await page.setViewportSize(NARROW);
  seen.overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  seen.printed = await printed(page);
  await context.close();
  return seen;
}

async function buttonsWithoutScript(path) {
  const page = await browser.newPage({ javaScriptEnabled: false });
  await page.goto(site + path);
  const buttons = await page.locator("button:visible").count();
  await page.close();
  return buttons;
}

const seen = {};
for (const path of paths) {
  seen[path] = { ...(await visit(path)), buttonsWithoutScript: await buttonsWithoutScript(path) };
}
console.log(JSON.stringify(seen));
await browser.close();
