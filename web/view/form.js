import { Problem } from "../client/problem.js";
import { createContext, html, useContext, useEffect, useRef, useState } from "./preact.js";
import { useAction } from "./hooks.js";
import { Trouble } from "./parts.js";

/** Forms that say beside each field what is wrong with it, and never lose what was typed. */

/** @typedef {import("./preact.js").ComponentChildren} Children */
/** @typedef {Record<string, string>} Values */

const Errors = createContext(/** @type {{errors: Values, scope: string}} */ ({ errors: {}, scope: "form" }));

let forms = 0;

/** @param {HTMLInputElement} input */
function wordsFor(input) {
  const { validity } = input;
  if (validity.valueMissing) return input.dataset.missing ?? "Fill this in.";
  if (validity.typeMismatch && input.type === "email") return "Enter an e-mail address, like name@example.org.";
  if (validity.tooShort) return `Use at least ${input.minLength} characters.`;
  if (validity.rangeUnderflow || validity.rangeOverflow) return `Choose a number from ${input.min} to ${input.max}.`;
  return input.validationMessage;
}

/**
 * @param {HTMLFormElement} form
 * @returns {Values}
 */
function check(form) {
  /** @type {Values} */
  const errors = {};
  for (const each of form.elements) {
    const input = /** @type {HTMLInputElement} */ (each);
    if (input.name && input.willValidate && !input.validity.valid) errors[input.name] ??= wordsFor(input);
  }
  return errors;
}

/** @param {unknown} problem */
function errorsOf(problem) {
  /** @type {Values} */
  const errors = {};
  if (!(problem instanceof Problem)) return errors;
  for (const { pointer, detail } of problem.errors) errors[pointer.replace(/^#/, "").split("/")[1] ?? ""] ??= detail;
  return errors;
}

/**
 * @param {object} props
 * @param {(values: Values, form: HTMLFormElement) => Promise<unknown>} props.onSend
 * @param {Children} props.children
 * @param {string} props.send what the button says
 * @param {string} [props.sending]
 * @param {string} [props.label] names the form when a page holds several
 * @param {string} [props.className]
 * @param {Children} [props.beside] stands beside the button
 * @param {string} [props.icon]
 * @param {boolean} [props.quiet] the button is not the page's main one
 */
export function Form({ onSend, children, send, sending = "One moment …", label, className = "", beside, quiet = false }) {
  const [found, setFound] = useState(/** @type {Values} */ ({}));
  const [scope] = useState(() => `form${(forms += 1)}`);
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  const { run, busy, problem } = useAction(onSend);
  const errors = { ...errorsOf(problem), ...found };

  useEffect(() => {
    const first = /** @type {HTMLElement | null} */ (form.current?.querySelector("[aria-invalid=true]") ?? null);
    first?.focus();
  }, [found, problem]);

  /** @param {SubmitEvent} event */
  const submit = (event) => {
    event.preventDefault();
    const element = /** @type {HTMLFormElement} */ (event.currentTarget);
    const wrong = check(element);
    setFound(wrong);
    if (Object.keys(wrong).length > 0) return;
    const values = Object.fromEntries([...new FormData(element)].map(([name, value]) => [name, String(value)]));
    void run(values, element);
  };

  const shown = form.current ? [...form.current.elements].map((each) => /** @type {HTMLInputElement} */ (each).name) : [];
  const allBeside = problem instanceof Problem && problem.errors.length > 0 && Object.keys(errors).every((name) => shown.includes(name));
  return html`<${Errors.Provider} value=${{ errors, scope }}>
    <form ref=${form} noValidate class=${`form ${className}`} aria-label=${label} onSubmit=${submit}>
      ${!!problem && !allBeside && html`<${Trouble} problem=${problem} shown=${shown} />`}
      ${children}
      <div class="buttons">
        <button type="submit" class=${quiet ? "button" : "button primary"} aria-disabled=${busy || undefined}>${busy ? sending : send}</button>
        ${beside}
      </div>
    </form>
  <//>`;
}

/**
 * @param {object} props
 * @param {string} props.name
 * @param {string} props.label
 * @param {(attributes: Record<string, unknown>) => unknown} props.children draws the control itself
 * @param {string} [props.hint]
 * @param {string} [props.seen] who sees what is written here
 * @param {boolean} [props.optional]
 */
function Labelled({ name, label, hint, seen, optional = false, children }) {
  const { errors, scope } = useContext(Errors);
  const id = `${scope}-${name}`;
  const error = errors[name];
  const described = [hint && `${id}-hint`, seen && `${id}-seen`, error && `${id}-error`].filter(Boolean).join(" ");
  return html`<div class=${error ? "field wrong" : "field"}>
    <label for=${id}>${label}${optional && html` <span class="optional">(optional)</span>`}</label>
    ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
    ${error && html`<p class="error" id=${`${id}-error`}>${error}</p>`}
    ${children({ id, name, "aria-describedby": described || undefined, "aria-invalid": error ? "true" : undefined })}
    ${seen && html`<p class="seen" id=${`${id}-seen`}>${seen}</p>`}
  </div>`;
}

/** @param {any} props `name label hint seen optional missing` and whatever an input takes */
export function Field({ name, label, hint, seen, optional, missing, value, ...rest }) {
  // A default, not a value: drawing again must never undo what was typed.
  return html`<${Labelled} name=${name} label=${label} hint=${hint} seen=${seen} optional=${optional}>
    ${(/** @type {object} */ given) => html`<input type="text" required=${!optional} data-missing=${missing} defaultValue=${value} ...${rest} ...${given} />`}
  <//>`;
}

/** @param {any} props */
export function Area({ name, label, hint, seen, optional, missing, value = "", rows = 4, ...rest }) {
  return html`<${Labelled} name=${name} label=${label} hint=${hint} seen=${seen} optional=${optional}>
    ${(/** @type {object} */ given) => html`<textarea rows=${rows} required=${!optional} data-missing=${missing} defaultValue=${value} ...${rest} ...${given}></textarea>`}
  <//>`;
}

/** @param {any} props `options`: pairs of value and words */
export function Choice({ name, label, hint, seen, optional, options, value, ...rest }) {
  // What somebody chose stays chosen when the page learns that something else is saved.
  const [chosen, choose] = useState(/** @type {string | null} */ (null));
  return html`<${Labelled} name=${name} label=${label} hint=${hint} seen=${seen} optional=${optional}>
    ${(/** @type {object} */ given) => html`<select onChange=${(/** @type {any} */ event) => choose(event.currentTarget.value)} ...${rest} ...${given}>
      ${options.map((/** @type {[string, string]} */ [key, words]) => html`<option key=${key} value=${key} selected=${key === (chosen ?? value)}>${words}</option>`)}
    </select>`}
  <//>`;
}

/** @param {{legend: string, name: string, options: [string, string, string?][], value: string, onPick?: (value: string) => void}} props */
export function Picks({ legend, name, options, value, onPick }) {
  return html`<fieldset class="picks">
    <legend>${legend}</legend>
    <div>
      ${options.map(([key, words, more]) => html`<label key=${key} class="pick">
        <input type="radio" name=${name} value=${key} checked=${key === value} onChange=${() => onPick?.(key)} />
        <span>${words}${more && html`<small>${more}</small>`}</span>
      </label>`)}
    </div>
  </fieldset>`;
}
