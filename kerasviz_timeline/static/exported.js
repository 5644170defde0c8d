// The entry of an exported page.

import { Address } from "./address.js";
import { element } from "./dom.js";
import { EmbeddedSource } from "./embedded_source.js";
import { Page } from "./page.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark", dark.matches);
dark.addEventListener("change", follow);
follow();
const source = new EmbeddedSource(document);
const page = new Page(source, new Address(window, ""));
document.body.prepend(element("h1", {}, source.title), page.element);
page.start();
