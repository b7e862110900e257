// Chromium for visit.mjs and screenshots.mjs.

import { chromium } from "playwright-core";

export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM });

export const DESKTOP = { width: 1280, height: 900 };
export const PHONE = { width: 390, height: 844 };
