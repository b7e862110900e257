// node screenshots.mjs SITE FOLDER PATH... writes each path as pictures (phone and desktop, light and dark) and printed.

import { join } from "node:path";
import { DESKTOP, PHONE, launch } from "./browser.mjs";

const [site, folder, ...paths] = process.argv.slice(2);
const browser = await launch();
const margin = { top: "2cm", bottom: "2cm", left: "2cm", right: "2cm" };

async function open(path, options) {
  const page = await browser.newPage(options);
  await page.goto(site + path);
  await page.evaluate(() => Promise.all([...document.images].map((image) => {
    image.loading = "eager";
    return image.decode();
  })));
  return page;
}

async function picture(path, name, viewport, colorScheme) {
  const page = await open(path, { viewport, colorScheme });
  await page.screenshot({ path: join(folder, `${name}-${colorScheme}.png`), fullPage: true });
  await page.close();
}

async function print(path, name) {
  const page = await open(path);
  await page.pdf({ path: join(folder, `${name}-print.pdf`), format: "A4", margin });
  await page.close();
}

for (const path of paths) {
  const name = decodeURIComponent(path).split("/").filter(Boolean).join("-") || "start";
  await Promise.all([
    picture(path, `${name}-phone`, PHONE, "light"),
    picture(path, `${name}-phone`, PHONE, "dark"),
    picture(path, `${name}-desktop`, DESKTOP, "light"),
    picture(path, `${name}-desktop`, DESKTOP, "dark"),
    print(path, name),
  ]);
}
await browser.close();
