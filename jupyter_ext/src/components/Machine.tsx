/** Lending the machine that this Jupyter server runs on. */

import * as React from 'react';

import { IOffer } from '../api';
import { JOIN_FORM } from '../code';
import * as format from '../format';
import { IState } from '../model';
import { IMachine, MachineState } from '../wire';
import { usePanel } from './context';
import { Empty, Section } from './parts';

export function Machine({ state }: { state: IState }): JSX.Element {
  const { trans } = usePanel();
  const { machine } = state;
  return (
    <Section
      id="machine"
      title={trans.__('Share this machine')}
      extra={machine?.state === 'running' ? trans.__('shared') : undefined}
      open={machine !== null && machine.state !== 'off'}
    >
      {!state.mayShare ? (
        <Empty name="no-machine">
          {trans.__('The operator of this Jupyter server does not lend its machine.')}
        </Empty>
      ) : machine === null ? (
        <Empty name="no-machine">{trans.__('Looking…')}</Empty>
      ) : machine.state === 'running' ? (
        <Running machine={machine} state={state} />
      ) : (
        <Offer machine={machine} busy={state.busy.has('machine')} />
      )}
    </Section>
  );
}

function Running({ machine, state }: { machine: IMachine; state: IState }): JSX.Element {
  const { trans, model } = usePanel();
  const mine = state.providers?.find(each => each.id === machine.provider);
  const busy = state.busy.has('machine');
  const since = machine.started_at_s === null ? null : Date.now() / 1000 - machine.started_at_s;
  return (
    <>
      <dl className="eco-Facts">
        <div>
          <dt>{trans.__('State')}</dt>
          <dd data-eco="machine-state">{trans.__('shared for %1', format.duration(since))}</dd>
        </div>
        {mine !== undefined && (
          <>
            <div>
              <dt>{trans.__('Done')}</dt>
              <dd>{trans._n('%1 task', '%1 tasks', mine.tasks)}</dd>
            </div>
            <div>
              <dt>{trans.__('Earned')}</dt>
              <dd title={format.pointsExactly(mine.posted_mpt)}>
                {trans.__(
                  '%1 points, %2 pending',
                  format.points(mine.posted_mpt),
                  format.points(mine.pending_mpt)
                )}
              </dd>
            </div>
          </>
        )}
      </dl>
      <Said lines={machine.lines} />
      <button
        className="eco-Button eco-mod-warn"
        data-eco="unshare"
        disabled={busy}
        onClick={() => void model.unshare()}
      >
        {busy ? trans.__('Stopping…') : trans.__('Stop sharing')}
      </button>
      <p className="eco-Hint">
        {trans.__(
          'Tasks under way go back to the network at once. It also stops with this server.'
        )}
      </p>
    </>
  );
}

function Offer({ machine, busy }: { machine: IMachine; busy: boolean }): JSX.Element {
  const { trans, model } = usePanel();
  const cores = machine.cores ?? 1;
  const [link, setLink] = React.useState('');
  const [slots, setSlots] = React.useState(machine.slots ?? Math.max(1, Math.floor(cores / 2)));
  const submit = async (event: React.FormEvent): Promise<void> => {
    event.preventDefault();
    const offer: IOffer = { slots };
    if (link.trim()) {
      offer.link = link.trim();
    }
    if (await model.share(offer)) {
      setLink('');
    }
  };
  const ended: Partial<Record<MachineState, string>> = {
    refused: trans.__('The network refused this machine:'),
    failed: trans.__('The provider stopped by itself (status %1):', String(machine.status))
  };
  return (
    <form className="eco-Form" onSubmit={event => void submit(event)}>
      {ended[machine.state] !== undefined && (
        <div className="eco-mod-bad" role="alert" data-eco="machine-ended">
          {ended[machine.state]}
          <Said lines={machine.lines} />
        </div>
      )}
      <p>
        {trans.__(
          'Lend it to a network and earn points. Tasks run in a sandbox without network or access to your files.'
        )}
      </p>
      <label>
        {trans.__('Join link')}
        <input
          className="jp-mod-styled"
          data-eco="join-link"
          type="password"
          autoComplete="off"
          spellCheck={false}
          placeholder={machine.link ?? JOIN_FORM}
          required={machine.link === null}
          value={link}
          onChange={event => setLink(event.target.value)}
        />
      </label>
      <label>
        {trans.__('Tasks at a time')}
        <input
          className="jp-mod-styled"
          data-eco="machine-slots"
          type="number"
          min={1}
          max={cores}
          value={slots}
          onChange={event => setSlots(Number(event.target.value))}
        />
      </label>
      <p className="eco-Hint">
        {machine.link === null
          ? trans.__('An operator makes a join link with `eco-dask invite --owner YOU`.')
          : trans.__('Leave the link empty to join where you joined last.')}
      </p>
      <button className="eco-Button eco-mod-accept" data-eco="share" type="submit" disabled={busy}>
        {busy ? trans.__('Starting…') : trans.__('Share this machine')}
      </button>
    </form>
  );
}

function Said({ lines }: { lines: string[] }): JSX.Element | null {
  const { trans } = usePanel();
  return lines.length === 0 ? null : (
    <pre className="eco-Said" aria-label={trans.__('What the provider says')} tabIndex={0}>
      {lines.join('\n')}
    </pre>
  );
}
