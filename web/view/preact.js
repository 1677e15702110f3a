/**
 * The one door to preact, its hooks and htm.
 *
 * The stand-alone bundle holds all three in one file without bare imports, so that the pages need neither a
 * build step nor an import map (which a strict content security policy would refuse).
 */
export {
  html, render, createContext, useState, useReducer, useEffect, useLayoutEffect, useRef, useMemo, useCallback, useContext,
} from "../node_modules/htm/preact/standalone.module.js";
