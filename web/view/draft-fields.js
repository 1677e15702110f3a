import { html, useState } from "./preact.js";

/** Fields of something that is worked on until it is saved: each shows what is kept and tells what was chosen. */

let fields = 0;

/** @param {{label: string, hint?: string, children: (given: object) => unknown}} props */
function Labelled({ label, hint, children }) {
  const [id] = useState(() => `draft${(fields += 1)}`);
  return html`<div class="field">
    <label for=${id}>${label}</label>
    ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
    ${children({ id, "aria-describedby": hint && `${id}-hint` })}
  </div>`;
}

/**
 * Numbers in words; what is set and not among them stands there too.
 * @param {{label: string, value: number | null, options: [number | null, string][], hint?: string, other?: (value: number) => string, onPick: (value: number | null) => void}} props
 */
export function PickNumber({ label, value, options, hint, other = String, onPick }) {
  const more = /** @type {[number, string][]} */ (value === null || options.some(([each]) => each === value) ? [] : [[value, other(value)]]);
  const all = [...options, ...more].sort((one, next) => (one[0] ?? -1) - (next[0] ?? -1));
  return html`<${Labelled} label=${label} hint=${hint}>
    ${(/** @type {object} */ given) => html`<select ...${given} onChange=${(/** @type {any} */ { currentTarget }) => onPick(currentTarget.value === "" ? null : Number(currentTarget.value))}>
      ${all.map(([each, words]) => html`<option key=${each} value=${each ?? ""} selected=${each === value}>${words}</option>`)}
    </select>`}
  <//>`;
}

/** @param {{label: string, value: string, options: string[][], hint?: string, onPick: (value: string) => void}} props */
export function PickOne({ label, value, options, hint, onPick }) {
  return html`<${Labelled} label=${label} hint=${hint}>
    ${(/** @type {object} */ given) => html`<select ...${given} onChange=${(/** @type {any} */ { currentTarget }) => onPick(currentTarget.value)}>
      ${options.map(([each, words]) => html`<option key=${each} value=${each} selected=${each === value}>${words}</option>`)}
    </select>`}
  <//>`;
}

/** @param {any} props `label value hint onText` and whatever an input takes */
export function Text({ label, value, hint, onText, ...rest }) {
  return html`<${Labelled} label=${label} hint=${hint}>
    ${(/** @type {object} */ given) => html`<input type="text" value=${value} ...${rest} ...${given} onInput=${(/** @type {any} */ { currentTarget }) => onText(currentTarget.value)} />`}
  <//>`;
}

/** Several of some. @param {{legend: string, value: any[], options: any[][], hint?: string, onPick: (value: any[]) => void}} props `options`: pairs of value and words */
export function PickSome({ legend, value, options, hint, onPick }) {
  const toggled = (/** @type {unknown} */ each) => options.map(([one]) => one).filter((one) => (one === each) !== value.includes(one));
  return html`<fieldset class="picks">
    <legend>${legend}</legend>
    ${hint && html`<p class="hint">${hint}</p>`}
    <div>${options.map(([each, words]) => html`<label key=${String(each)} class="pick">
      <input type="checkbox" checked=${value.includes(each)} onChange=${() => onPick(toggled(each))} />
      <span>${words}</span>
    </label>`)}</div>
  </fieldset>`;
}

/** @param {{label: string, on: boolean, hint?: string, onPick: (on: boolean) => void}} props */
export function Switch({ label, on, hint, onPick }) {
  const [id] = useState(() => `draft${(fields += 1)}`);
  return html`<div class="field">
    <label class="switch"><input type="checkbox" checked=${on} aria-describedby=${hint && id} onChange=${() => onPick(!on)} /><span>${label}</span></label>
    ${hint && html`<p class="hint" id=${id}>${hint}</p>`}
  </div>`;
}
