// The contrast of colours as WCAG 2 computes it.
(() => {
  const parts = colour => { const [r, g, b, a = 1] = colour.match(/[\d.]+/g).map(Number); return [r, g, b, a]; };
  const over = (upper, lower) => [0, 1, 2].map(i => upper[i] * upper[3] + lower[i] * (1 - upper[3])).concat(1);
  const luminance = colour => {
    const [r, g, b] = colour.slice(0, 3).map(part => part / 255 <= .04045 ? part / 255 / 12.92 : ((part / 255 + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const ratio = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + .05) / (low + .05);
  };
  // The colour behind an element. In the map, it is that of the box around a text.
  const ground = element => {
    if (!element) return [255, 255, 255, 1];
    const map = element.closest("svg.zctor-map");
    if (map) {
      const box = element.parentElement.querySelector("rect.box") || map.querySelector(".ground");
      return parts(getComputedStyle(box).fill);
    }
    return over(parts(getComputedStyle(element).backgroundColor), ground(element.parentElement));
  };
  const opacity = element => element ? getComputedStyle(element).opacity * opacity(element.parentElement) : 1;
  globalThis.contrast = {
    // Each kind of text that stands out too little, with its ratio.
    texts() {
      const found = new Map();
      let count = 0;
      const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      while (texts.nextNode()) {
        const element = texts.currentNode.parentElement, style = getComputedStyle(element);
        if (!texts.currentNode.data.trim() || !element.getClientRects().length || element.closest(".hidden, script, style, title")) continue;
        count++;
        const colour = parts(element instanceof SVGElement ? style.fill : style.color), behind = ground(element);
        colour[3] *= opacity(element);
        const size = parseFloat(style.fontSize), is_large = size >= 24 || size >= 18.66 && style.fontWeight >= 700;
        const reached = ratio(over(colour, behind), behind);
        if (reached < (is_large ? 3 : 4.5)) found.set(`${element.tagName} ${element.getAttribute("class")}`, `${reached.toFixed(2)} ${texts.currentNode.data.trim()}`);
      }
      return { count, faint: [...found].map(pair => pair.join(": ")).join("; ") };
    },
    // That of the line around what has the focus.
    focus() {
      const element = document.activeElement, style = getComputedStyle(element);
      return style.outlineStyle === "solid" && parseFloat(style.outlineWidth) >= 2 ? ratio(parts(style.outlineColor), ground(element.parentElement)) : 0;
    },
  };
  return true;
})()
