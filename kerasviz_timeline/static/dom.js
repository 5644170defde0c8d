// Making elements. Text from logs only ever enters as text.

/** An element with attributes, properties (`.name`), listeners (`onname`) and children; null children are left out. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name.startsWith(".")) made[name.slice(1)] = value;
    else if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null));
  return made;
}

/** A button with a text or sign that is seen, and a label for screen readers and as a tooltip. */
export function button(text, label, onclick, attributes = {}) {
  return element("button", { type: "button", "aria-label": label, title: label, onclick, ...attributes }, text);
}

/** A `<select>` with its label in front. `options` are `[value, text]`. */
export function choice(label, options, value, onchange) {
  const select = element(
    "select",
    { "aria-label": label, onchange: () => onchange(select.value) },
    options.map(([name, text]) => element("option", { value: name, ".selected": name === value }, text)),
  );
  return element("label", { class: "choice" }, element("span", {}, label), select);
}
