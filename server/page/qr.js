// A QR code as a drawing: dark squares on light, whatever the colour scheme, since many cameras read only that.

import { encodeQR } from "./vendor/qr/index.js";

const SVG = "http://www.w3.org/2000/svg";
/** Of light squares around the code; ISO/IEC 18004 asks for four. */
const QUIET = 4;
/** In CSS pixels. A square of the code is a whole number of them, so that its edges are sharp. */
const ABOUT_PX = 272;
const LEAST_PX = 2;

/**
 * `text` as a QR code, at error correction M. Nothing leaves the page. Throws Error when it is too long for any code
 * (more than 2331 bytes).
 * @param {string} text
 * @param {string} label what a screen reader says instead; it must not hold the text where that is secret
 * @returns {SVGSVGElement}
 */
export function qrSvg(text, label) {
  const rows = encodeQR(text, "raw", { ecc: "medium", border: QUIET });
  const squares = rows.length;
  const size = squares * Math.max(LEAST_PX, Math.floor(ABOUT_PX / squares));
  const drawing = made("svg", {
    viewBox: `0 0 ${squares} ${squares}`,
    width: size,
    height: size,
    role: "img",
    "aria-label": label,
    "shape-rendering": "crispEdges",
    class: "qr",
  });
  drawing.append(
    made("path", { d: `M0 0h${squares}v${squares}h-${squares}z`, fill: "#fff" }),
    made("path", { d: runs(rows), fill: "#000" }),
  );
  return drawing;
}

/**
 * The dark squares as one path, a rectangle for each run of a row.
 * @param {boolean[][]} rows
 */
function runs(rows) {
  let path = "";
  rows.forEach((row, y) => {
    for (let x = 0; x < row.length; x++) {
      if (!row[x]) continue;
      const start = x;
      while (row[x]) x++;
      path += `M${start} ${y}h${x - start}v1h-${x - start}z`;
    }
  });
  return path;
}

/**
 * @template {"svg" | "path"} T
 * @param {T} tag
 * @param {Record<string, string | number>} attributes
 * @returns {SVGElementTagNameMap[T]}
 */
function made(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}
