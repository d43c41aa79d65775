/** Lending the machine that this Jupyter server runs on. */

import * as React from 'react';

import { IOffer } from '../api';
import { JOIN_FORM } from '../code';
import * as format from '../format';
import { IState, lent } from '../model';
import { IMachine, IOwned, MachineState, Order } from '../wire';
import { usePanel } from './context';
import { Empty, Section } from './parts';

export function Machine({ state }: { state: IState }): JSX.Element {
  const { trans } = usePanel();
  const { machine } = state;
  return (
    <Section
      id="machine"
      title={trans.__('Share this machine')}
      extra={lent(machine) ? trans.__('shared') : undefined}
      open={lent(machine) || machine?.state === 'refused' || machine?.state === 'failed'}
    >
      {!state.mayShare ? (
        <Empty name="no-machine">
          {trans.__('The operator of this Jupyter server does not lend its machine.')}
        </Empty>
      ) : machine === null ? (
        <Empty name="no-machine">{trans.__('Looking…')}</Empty>
      ) : lent(machine) ? (
        <Running machine={machine} busy={state.busy.has('machine')} />
      ) : (
        <Offer machine={machine} busy={state.busy.has('machine')} />
      )}
    </Section>
  );
}

function Running({ machine, busy }: { machine: IMachine; busy: boolean }): JSX.Element {
  const { trans, model } = usePanel();
  const { owned } = machine;
  const words: Record<IOwned['state'], string> = {
    connecting: trans.__('connecting'),
    waiting: trans.__('waiting for work'),
    working: trans.__('working'),
    paused: trans.__('paused'),
    finishing: trans.__('finishing')
  };
  return (
    <>
      <div className="eco-Row">
        <span className={`eco-Dot eco-mod-${DOTS[owned?.state ?? 'connecting']}`} aria-hidden />
        <strong data-eco="machine-state">{words[owned?.state ?? 'connecting']}</strong>
      </div>
      {owned?.why && <p className="eco-Hint">{owned.why}</p>}
      {owned !== null && <Earnings owned={owned} />}
      {owned === null && <Said lines={machine.lines} />}
      <div className="eco-Row eco-mod-wrap">
        {owned !== null &&
          (owned.state === 'paused' || owned.state === 'finishing' ? (
            <OrderButton order="run" busy={busy} label={trans.__('Resume')} />
          ) : (
            <>
              <OrderButton order="pause" busy={busy} label={trans.__('Pause')} />
              <OrderButton
                order="finish"
                busy={busy}
                label={trans.__('Finish')}
                title={trans.__('Take nothing new, and stop when all is done and paid')}
              />
            </>
          ))}
        {machine.state === 'running' && (
          <button
            className="eco-Button eco-mod-warn"
            data-eco="unshare"
            disabled={busy}
            title={trans.__('Tasks under way go back to the network at once')}
            onClick={() => void model.unshare()}
          >
            {busy ? trans.__('Working…') : trans.__('Stop sharing')}
          </button>
        )}
      </div>
      <p className="eco-Hint">
        {machine.state === 'running'
          ? trans.__('It stops with this Jupyter server.')
          : trans.__('It was started outside of JupyterLab: `eco-dask-worker stop` ends it.')}
      </p>
    </>
  );
}

const DOTS: Record<IOwned['state'], string> = {
  connecting: 'away',
  waiting: 'connected',
  working: 'connected',
  paused: 'paused',
  finishing: 'paused'
};

interface IOrderButton {
  order: Order;
  label: string;
  busy: boolean;
  title?: string;
}

function OrderButton({ order, label, busy, title }: IOrderButton): JSX.Element {
  const { model } = usePanel();
  return (
    <button
      className="eco-Button"
      data-eco={`order-${order}`}
      disabled={busy}
      title={title}
      onClick={() => void model.order(order)}
    >
      {label}
    </button>
  );
}

function Earnings({ owned }: { owned: IOwned }): JSX.Element {
  const { trans } = usePanel();
  return (
    <dl className="eco-Facts">
      <div>
        <dt>{trans.__('Owner')}</dt>
        <dd>{owned.owner ?? format.UNKNOWN}</dd>
      </div>
      <div>
        <dt>{trans.__('Tasks')}</dt>
        <dd data-eco="machine-tasks">
          {trans.__(
            '%1 now, %2 today',
            format.count(owned.tasks_held),
            format.count(owned.tasks_today)
          )}
        </dd>
      </div>
      <div title={format.pointsExactly(owned.paid_mpt)}>
        <dt>{trans.__('Points')}</dt>
        <dd data-eco="machine-points">
          {trans.__(
            '%1 today, %2 in all',
            format.points(owned.today_mpt),
            format.points(owned.paid_mpt)
          )}
        </dd>
      </div>
      <div title={owned.energy_source ?? undefined}>
        <dt>{trans.__('Energy')}</dt>
        <dd>{trans.__('%1 since the start', format.energy(owned.tasks_uj))}</dd>
      </div>
      {owned.sandbox !== null && (
        <div>
          <dt>{trans.__('Sandbox')}</dt>
          <dd>{owned.sandbox}</dd>
        </div>
      )}
    </dl>
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
