/** Which coordinator is shown, and how to add one. */

import * as React from 'react';

import { LINK_FORM } from '../code';
import { CommandIds } from '../commands';
import { IState } from '../model';
import { ICoordinator } from '../wire';
import { usePanel } from './context';

export function Connection({ state }: { state: IState }): JSX.Element {
  const { model, trans, run, confirm } = usePanel();
  const [adding, setAdding] = React.useState(false);
  const list = state.coordinators ?? [];
  const shown = list.find(each => each.id === state.chosen);
  const source: Record<ICoordinator['source'], string> = {
    settings: trans.__('settings'),
    machine: trans.__('this machine'),
    panel: trans.__('started here'),
    notebook: trans.__('notebook'),
    link: trans.__('link')
  };
  const forget = async (each: ICoordinator): Promise<void> => {
    const stops = each.source === 'panel';
    const sure = await confirm(
      stops ? trans.__('Stop %1?', each.name) : trans.__('Forget %1?', each.name),
      stops
        ? trans.__('Its providers stop, and results that nobody fetched are lost.')
        : trans.__('Its link and token are removed from this server.'),
      stops ? trans.__('Stop') : trans.__('Forget')
    );
    if (sure) {
      await (stops ? model.stopCluster(each.id) : model.remove(each.id));
    }
  };
  return (
    <div className="eco-Connection">
      {list.length > 0 && (
        <div className="eco-Row">
          <span
            className={`eco-Dot eco-mod-${state.error ? 'failed' : state.summary ? 'connected' : 'away'}`}
            role="img"
            aria-label={
              state.error
                ? trans.__('no connection')
                : state.summary
                  ? trans.__('connected')
                  : trans.__('connecting')
            }
          />
          <div className="jp-select-wrapper eco-Grow">
            <select
              className="jp-mod-styled eco-Select"
              aria-label={trans.__('Coordinator')}
              value={state.chosen ?? ''}
              onChange={event => void model.pick(event.target.value)}
            >
              {list.map(each => (
                <option key={each.id} value={each.id}>
                  {`${each.name} (${source[each.source]})`}
                </option>
              ))}
            </select>
          </div>
          {shown !== undefined && (shown.source === 'link' || shown.source === 'panel') && (
            <button
              className="eco-Button eco-mod-quiet"
              data-eco="forget"
              disabled={state.busy.has(`stop ${shown.id}`)}
              onClick={() => void forget(shown)}
            >
              {shown.source === 'panel' ? trans.__('Stop') : trans.__('Forget')}
            </button>
          )}
        </div>
      )}
      <div className="eco-Row eco-mod-wrap">
        {shown !== undefined && (
          <button
            className="eco-Button"
            data-eco="insert"
            title={trans.__('Write code that connects to this coordinator into the notebook')}
            onClick={() => run(CommandIds.insertConnection)}
          >
            {trans.__('Insert code')}
          </button>
        )}
        <button
          className="eco-Button"
          data-eco="new-cluster"
          disabled={state.busy.has('cluster')}
          title={trans.__('Start a coordinator and providers on this machine')}
          onClick={() => run(CommandIds.newCluster)}
        >
          {state.busy.has('cluster') ? trans.__('Starting…') : trans.__('New EcoCluster')}
        </button>
        {state.mayAdd && (
          <button
            className="eco-Button"
            data-eco="add"
            aria-expanded={adding}
            onClick={() => setAdding(!adding)}
          >
            {trans.__('Add link')}
          </button>
        )}
      </div>
      {adding && <AddLink busy={state.busy.has('add')} onDone={() => setAdding(false)} />}
    </div>
  );
}

function AddLink({ busy, onDone }: { busy: boolean; onDone: () => void }): JSX.Element {
  const { model, trans } = usePanel();
  const [link, setLink] = React.useState('');
  const submit = async (event: React.FormEvent): Promise<void> => {
    event.preventDefault();
    if (await model.add(link)) {
      onDone();
    }
  };
  return (
    <form className="eco-Form" onSubmit={event => void submit(event)}>
      <label>
        {trans.__('Link of a coordinator')}
        <input
          className="jp-mod-styled"
          data-eco="link"
          // A link may hold a token: not shown, not kept by the browser.
          type="password"
          autoComplete="off"
          autoFocus
          spellCheck={false}
          placeholder={LINK_FORM}
          value={link}
          onChange={event => setLink(event.target.value)}
        />
      </label>
      <p className="eco-Hint">
        {trans.__('The token stays on the Jupyter server. `eco-dask token` makes one.')}
      </p>
      <div className="eco-Row">
        <button className="eco-Button eco-mod-accept" type="submit" disabled={busy || !link.trim()}>
          {busy ? trans.__('Connecting…') : trans.__('Connect')}
        </button>
        <button className="eco-Button" type="button" onClick={onDone}>
          {trans.__('Close')}
        </button>
      </div>
    </form>
  );
}
