/**
 * Notebooks: which coordinator their kernel's client is connected to, and code written into them.
 */

import { INotebookTracker, NotebookActions, NotebookPanel } from '@jupyterlab/notebook';
import { Kernel } from '@jupyterlab/services';
import { Debouncer } from '@lumino/polling';

import { ANNOUNCE } from './code';

/** A text that a kernel's plain-text display of a dict holds: its id. */
const ID = /'id': '([0-9a-f]{12})'/;
const SETTLE_MS = 400;

/** Ask a Python kernel where its client is connected to; null if nowhere. */
export async function askKernel(kernel: Kernel.IKernelConnection): Promise<string | null> {
  const language = (await kernel.info).language_info.name;
  if (language !== 'python' || kernel.status === 'dead') {
    return null;
  }
  const future = kernel.requestExecute(
    { code: '', silent: true, store_history: false, user_expressions: { eco: ANNOUNCE } },
    true
  );
  const reply = (await future.done).content as { user_expressions?: Record<string, unknown> };
  const found = reply.user_expressions?.eco as
    { status: string; data?: Record<string, string> } | undefined;
  const shown = found?.status === 'ok' ? found.data?.['text/plain'] : undefined;
  return shown ? (ID.exec(shown)?.[1] ?? null) : null;
}

/** Call back with the coordinator of the notebook in front, when it may have changed. */
export function watchNotebooks(tracker: INotebookTracker, found: (id: string) => void): void {
  const look = new Debouncer(async () => {
    const kernel = tracker.currentWidget?.sessionContext.session?.kernel;
    const id = kernel ? await askKernel(kernel) : null;
    if (id !== null) {
      found(id);
    }
  }, SETTLE_MS);
  const invoke = (): void => {
    look.invoke().catch(error => console.debug('eco_dask: the kernel did not say', error));
  };
  tracker.currentChanged.connect(invoke);
  tracker.widgetAdded.connect((_, panel) => {
    panel.sessionContext.kernelChanged.connect(invoke);
  });
  NotebookActions.executed.connect((_, { notebook }) => {
    if (tracker.currentWidget?.content === notebook) {
      invoke();
    }
  });
}

/** Write code into a new cell below the active one, and leave the cursor there. */
export function insertCode(panel: NotebookPanel, code: string): void {
  const notebook = panel.content;
  const cell = notebook.activeCell;
  const empty =
    cell !== null && cell.model.type === 'code' && !cell.model.sharedModel.source.trim();
  if (!empty) {
    NotebookActions.insertBelow(notebook);
    NotebookActions.changeCellType(notebook, 'code');
  }
  notebook.activeCell?.model.sharedModel.setSource(code);
  panel.activate();
}
