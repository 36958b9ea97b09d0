// The playground in a real browser, against a real group. One demo and one
// browser serve all the behaviours, one after the other.
import { after, before, describe } from "node:test";

import { access } from "./behaviours/access.mjs";
import { chat } from "./behaviours/chat.mjs";
import { conflict } from "./behaviours/conflict.mjs";
import { cut } from "./behaviours/cut.mjs";
import { markup } from "./behaviours/markup.mjs";
import { mistakes } from "./behaviours/mistakes.mjs";
import { phone } from "./behaviours/phone.mjs";
import { reload } from "./behaviours/reload.mjs";
import { replaced } from "./behaviours/replaced.mjs";
import { launch } from "./browser.mjs";
import { startDemo } from "./demo.mjs";

/** What every behaviour needs: filled in before the first. */
const stage = { browser: null, url: "" };
let demo;

before(async () => {
  demo = await startDemo();
  stage.url = demo.url;
  stage.browser = await launch();
});

after(async () => {
  await stage.browser?.close();
  await demo?.stop();
});

describe("playground", () => {
  for (const behaviour of [chat, cut, markup, replaced, reload, mistakes, conflict, access, phone]) behaviour(stage);
});
