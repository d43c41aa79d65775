/** What JupyterLab's packages expect of a browser and jsdom has not. */

class DragEventShim extends MouseEvent {}

Object.assign(globalThis, {
  DragEvent: globalThis.DragEvent ?? DragEventShim,
  IS_REACT_ACT_ENVIRONMENT: true
});
window.matchMedia ??= (query: string) =>
  ({ matches: false, media: query, addEventListener() {}, removeEventListener() {} }) as never;
