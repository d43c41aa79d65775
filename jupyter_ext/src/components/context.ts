/** What all parts of the panel share. */

import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { EcoModel } from '../model';

export interface IPanelContext {
  model: EcoModel;
  trans: TranslationBundle;
  /** Run a command of JupyterLab. */
  run: (command: string, args?: Record<string, string | number>) => void;
  /** Ask before something that cannot be undone. */
  confirm: (title: string, body: string, accept: string) => Promise<boolean>;
  /** Pages that dask-labextension can open; empty without it. */
  panes: { label: string; open: () => void }[];
}

export const PanelContext = React.createContext<IPanelContext | null>(null);

/** The shared parts, within the panel. */
export function usePanel(): IPanelContext {
  const found = React.useContext(PanelContext);
  if (found === null) {
    throw new Error('this part is shown outside of the panel');
  }
  return found;
}
