/** The stand-alone bundle brings no types of its own; view/preact.d.ts says what it gives. */
declare module "*/htm/preact/standalone.module.js";
