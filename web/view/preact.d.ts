export { render, createContext } from "preact";
export type { ComponentChildren, Context, VNode } from "preact";
export {
  useState, useReducer, useEffect, useLayoutEffect, useRef, useMemo, useCallback, useContext,
} from "preact/hooks";
export declare function html(strings: TemplateStringsArray, ...values: unknown[]): import("preact").VNode;
