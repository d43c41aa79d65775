/**
 * Panes of dask-labextension, where it is installed: each is a page of the coordinator's dashboard.
 */

import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';

const LAUNCH = 'dask:launch-dashboard';
/** Tells dask-labextension whose dashboard its panes are of. */
const POPULATE = 'dask:populate-dashboard-url';

export interface IPane {
  label: string;
  open: () => void;
}

/** The commands that are used here. */
export type Commands = Pick<CommandRegistry, 'execute' | 'hasCommand'>;

/**
 * The pages that eco_dask adds to Dask's dashboard, as panes; none without dask-labextension.
 *
 * @param url - says where the coordinator is that the panel shows, null if it shows none.
 */
export function daskPanes(
  commands: Commands,
  trans: Pick<TranslationBundle, '__'>,
  url: () => string | null
): IPane[] {
  if (!commands.hasCommand(LAUNCH)) {
    return [];
  }
  const pages: [string, string][] = [
    ['individual-eco-network', trans.__('Network')],
    ['individual-eco-verification', trans.__('Verification')],
    ['individual-eco-points', trans.__('Points')],
    ['individual-eco-energy', trans.__('Energy')],
    ['individual-eco-jobs', trans.__('Jobs')]
  ];
  const open = async (route: string, label: string): Promise<void> => {
    const shown = url();
    if (shown !== null && commands.hasCommand(POPULATE)) {
      await commands.execute(POPULATE, { url: shown });
    }
    const item = { route: `/${route}`, label: `Eco ${label}`, key: `Eco ${label}` };
    await commands.execute(LAUNCH, { item });
  };
  return pages.map(([route, label]) => ({ label, open: () => void open(route, label) }));
}
