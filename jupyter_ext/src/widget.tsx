/** The panel as a widget of JupyterLab, and the item in its status bar. */

import { ReactWidget, UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import { IPanelContext } from './components/context';
import { Panel } from './components/Panel';
import { PANEL_ID } from './commands';
import * as format from './format';
import { ecoIcon } from './icon';
import { EcoModel, power } from './model';

export class EcoPanel extends ReactWidget {
  constructor(private readonly context: IPanelContext) {
    super();
    this.id = PANEL_ID;
    this.addClass('eco-Panel');
    this.title.icon = ecoIcon;
    this.title.caption = context.trans.__('eco_dask: jobs, points and energy');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', context.trans.__('eco_dask'));
  }

  protected render(): JSX.Element {
    const { model } = this.context;
    return (
      <UseSignal signal={model.changed}>
        {() => <Panel state={model.state} context={this.context} />}
      </UseSignal>
    );
  }
}

interface IStatus {
  model: EcoModel;
  context: Pick<IPanelContext, 'trans' | 'run'>;
  open: () => void;
}

/** Points and watts of the network that is shown. */
export function Status({ model, context, open }: IStatus): JSX.Element | null {
  const { trans } = context;
  const { summary, error, jobs } = model.state;
  if (model.coordinator === null || (summary === null && !error)) {
    return null;
  }
  const watts = power(model.state);
  const running = (jobs ?? []).filter(job => job.state === 'running').length;
  const text = summary
    ? [
        running > 0 ? trans._n('%1 job', '%1 jobs', running) : '',
        trans.__('%1 points', format.points(summary.points.posted_mpt)),
        watts === null ? '' : format.watts(watts)
      ]
        .filter(Boolean)
        .join(' · ')
    : '';
  return (
    <button
      className={`eco-Status ${error && 'eco-mod-bad'}`}
      title={error || trans.__('eco_dask: points paid and power of %1', model.coordinator.name)}
      onClick={open}
    >
      <ecoIcon.react tag="span" className="eco-Status-icon" elementSize="small" />
      <span data-eco="status">{error ? trans.__('no connection') : text}</span>
    </button>
  );
}

export class EcoStatus extends ReactWidget {
  constructor(private readonly parts: IStatus) {
    super();
    this.addClass('eco-StatusItem');
  }

  protected render(): JSX.Element {
    return (
      <UseSignal signal={this.parts.model.changed}>{() => <Status {...this.parts} />}</UseSignal>
    );
  }
}
