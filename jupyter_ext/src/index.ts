/**
 * The extension's entry: panel, status bar, commands, settings.
 */

import {
  ILabShell,
  ILayoutRestorer,
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import {
  Dialog,
  ICommandPalette,
  InputDialog,
  showDialog,
  showErrorMessage
} from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator, TranslationBundle } from '@jupyterlab/translation';
import { Poll } from '@lumino/polling';

import { Api } from './api';
import { clusterCode, connectionCode, jobCode } from './code';
import { CommandIds, PANEL_ID, PLUGIN_ID, STATUS_ID } from './commands';
import { IPanelContext } from './components/context';
import { EcoModel } from './model';
import { insertCode, watchNotebooks } from './notebook';
import { daskPanes } from './panes';
import { EcoPanel, EcoStatus } from './widget';

const INTERVAL_MS = 2000;
const BACK_OFF_MS = 30_000;
const PROVIDERS_DEFAULT = 4;

interface IParts {
  app: JupyterFrontEnd;
  model: EcoModel;
  panel: EcoPanel;
  trans: TranslationBundle;
  notebooks: INotebookTracker | null;
}

const plugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN_ID,
  description: 'Jobs, points and energy of an eco_dask network.',
  autoStart: true,
  optional: [
    ILabShell,
    ILayoutRestorer,
    ICommandPalette,
    INotebookTracker,
    ISettingRegistry,
    IStatusBar,
    ITranslator
  ],
  activate: (
    app: JupyterFrontEnd,
    shell: ILabShell | null,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    notebooks: INotebookTracker | null,
    registry: ISettingRegistry | null,
    statusBar: IStatusBar | null,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load('eco_dask');
    const model = new EcoModel(new Api(app.serviceManager.serverSettings));
    const context: IPanelContext = {
      model,
      trans,
      run: (command, args) => void app.commands.execute(command, args),
      confirm: confirmer(trans),
      panes: []
    };
    const panel = new EcoPanel(context);
    app.shell.add(panel, 'left', { rank: 450, type: 'eco_dask' });
    restorer?.add(panel, PANEL_ID);
    statusBar?.registerStatusItem(STATUS_ID, {
      item: new EcoStatus({ model, context, open: () => app.shell.activateById(PANEL_ID) }),
      align: 'left',
      rank: 90
    });
    addCommands({ app, model, panel, trans, notebooks }, palette);
    const poll = startPoll(model);
    if (registry !== null) {
      void followSettings(registry, poll);
    }
    if (notebooks !== null) {
      watchNotebooks(notebooks, id => void model.discovered(id).catch(() => undefined));
    }
    void app.restored.then(() => {
      // dask-labextension registers its commands meanwhile.
      context.panes = daskPanes(app.commands, trans, () => model.coordinator?.url ?? null);
      panel.update();
    });
  }
};

function startPoll(model: EcoModel): Poll {
  return new Poll({
    name: PLUGIN_ID,
    factory: () => model.refresh(),
    frequency: { interval: INTERVAL_MS, backoff: true, max: BACK_OFF_MS },
    standby: 'when-hidden'
  });
}

async function followSettings(registry: ISettingRegistry, poll: Poll): Promise<void> {
  const settings = await registry.load(PLUGIN_ID);
  const apply = (): void => {
    const interval = settings.get('pollInterval').composite as number;
    poll.frequency = { interval, backoff: true, max: Math.max(interval, BACK_OFF_MS) };
  };
  settings.changed.connect(apply);
  apply();
}

function confirmer(trans: TranslationBundle): IPanelContext['confirm'] {
  return async (title, body, accept) => {
    const answer = await showDialog({
      title,
      body,
      buttons: [
        Dialog.cancelButton({ label: trans.__('Keep') }),
        Dialog.warnButton({ label: accept })
      ]
    });
    return answer.button.accept;
  };
}

function addCommands(parts: IParts, palette: ICommandPalette | null): void {
  const { app, model, trans } = parts;
  const { commands } = app;
  const describedBy = { args: { type: 'object', properties: {} } };
  commands.addCommand(CommandIds.open, {
    label: trans.__('Show the eco_dask Panel'),
    describedBy,
    execute: () => app.shell.activateById(PANEL_ID)
  });
  commands.addCommand(CommandIds.refresh, {
    label: trans.__('Refresh'),
    describedBy,
    execute: () => model.refresh()
  });
  commands.addCommand(CommandIds.insertConnection, {
    label: trans.__('Insert Connection Code'),
    caption: trans.__('Write code that connects to the coordinator into the notebook'),
    describedBy,
    execute: () =>
      insert(
        parts,
        model.coordinator ? connectionCode(model.coordinator) : clusterCode(PROVIDERS_DEFAULT)
      )
  });
  commands.addCommand(CommandIds.insertJob, {
    label: trans.__('Insert a Job Block'),
    describedBy,
    execute: () => insert(parts, jobCode())
  });
  commands.addCommand(CommandIds.newCluster, {
    label: trans.__('New EcoCluster on This Machine'),
    describedBy,
    execute: () => newCluster(parts)
  });
  commands.addCommand(CommandIds.dashboard, {
    label: trans.__('Open the Dashboard in a New Tab'),
    describedBy,
    isEnabled: () => model.coordinator !== null,
    execute: () => {
      window.open(`${model.coordinator?.url}/status`, '_blank', 'noopener');
    }
  });
  commands.addCommand(CommandIds.stopSharing, {
    label: trans.__('Stop Sharing This Machine'),
    describedBy,
    isEnabled: () => model.state.machine?.state === 'running',
    execute: () => model.unshare()
  });
  const category = trans.__('eco_dask');
  for (const command of Object.values(CommandIds)) {
    palette?.addItem({ command, category });
  }
}

async function newCluster({ app, model, trans }: IParts): Promise<void> {
  app.shell.activateById(PANEL_ID);
  const asked = await InputDialog.getNumber({
    title: trans.__('New EcoCluster on this machine'),
    label: trans.__('Providers, each a process of its own:'),
    value: PROVIDERS_DEFAULT,
    okLabel: trans.__('Start')
  });
  if (asked.button.accept && asked.value !== null) {
    await model.startCluster(Math.round(asked.value));
  }
}

async function insert({ app, trans, notebooks }: IParts, code: string): Promise<void> {
  const panel = notebooks?.currentWidget;
  if (!panel) {
    await showErrorMessage(
      trans.__('No notebook is open'),
      trans.__('Open the notebook that the code shall be written into, and try again.')
    );
    return;
  }
  insertCode(panel, code);
  app.shell.activateById(panel.id);
}

export default plugin;
