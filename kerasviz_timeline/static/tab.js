// The entry of the tab: TensorBoard imports this module and calls `render`.

import { Address } from "./address.js";
import { element } from "./dom.js";
import { Page } from "./page.js";
import { ServerSource } from "./server_source.js";

export function render() {
  document.head.append(element("link", { rel: "stylesheet", href: new URL("./style.css", import.meta.url).href }));
  document.documentElement.lang = "en";
  const theirs = window.parent.document.body;
  const follow = () => document.documentElement.classList.toggle("dark", theirs.classList.contains("dark-mode"));
  new MutationObserver(follow).observe(theirs, { attributes: true, attributeFilter: ["class"] });
  follow();
  const source = new ServerSource(new URL("./", import.meta.url).href);
  const page = new Page(source, new Address(window.parent, "p.kerasviz_timeline."));
  document.body.append(page.element);
  page.start();
  // The keyboard stays with TensorBoard otherwise, when the tab is opened and when one comes back to it. A tab that is not
  // shown has no height.
  window.focus();
  let height = window.innerHeight;
  window.addEventListener("resize", () => {
    if (window.innerHeight === 0) page.pause();
    else if (height === 0) window.focus();
    height = window.innerHeight;
  });
}
