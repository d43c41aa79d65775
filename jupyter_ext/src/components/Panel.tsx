/** The whole panel. */

import * as React from 'react';

import { IState } from '../model';
import { Balance } from './Balance';
import { Connection } from './Connection';
import { IPanelContext, PanelContext } from './context';
import { Jobs } from './Jobs';
import { Machine } from './Machine';
import { Overview } from './Overview';
import { Empty } from './parts';
import { Providers } from './Providers';

interface IPanel {
  state: IState;
  context: IPanelContext;
}

export function Panel({ state, context }: IPanel): JSX.Element {
  const { trans, model, panes } = context;
  const none = state.coordinators !== null && state.coordinators.length === 0;
  return (
    <PanelContext.Provider value={context}>
      <div className="eco-Panel-scroll">
        {state.notice && (
          <div className="eco-Notice eco-mod-bad" role="alert" data-eco="notice">
            <span className="eco-Grow">{state.notice}</span>
            <button
              className="eco-Button eco-mod-quiet"
              aria-label={trans.__('Dismiss')}
              onClick={() => model.dismiss()}
            >
              ×
            </button>
          </div>
        )}
        <Connection state={state} />
        {none && (
          <Empty name="no-coordinator">
            <p>
              {trans.__('No coordinator yet. Start one on this machine, add the link of one, or')}
            </p>
            <p>{trans.__('connect a notebook: the panel finds its client.')}</p>
          </Empty>
        )}
        {state.error && (
          <div className="eco-Notice eco-mod-bad" role="alert" data-eco="error">
            {state.error}
          </div>
        )}
        {state.chosen !== null && state.summary === null && !state.error && (
          <Empty name="connecting">{trans.__('Connecting…')}</Empty>
        )}
        {state.summary !== null && (
          <>
            <Overview state={state} />
            {panes.length > 0 && (
              <div className="eco-Row eco-mod-wrap" aria-label={trans.__('Dashboard panes')}>
                {panes.map(each => (
                  <button
                    key={each.label}
                    className="eco-Button"
                    data-eco="pane"
                    onClick={each.open}
                  >
                    {each.label}
                  </button>
                ))}
              </div>
            )}
            <Jobs state={state} />
            <Balance state={state} />
            <Providers state={state} />
          </>
        )}
        <Machine state={state} />
      </div>
    </PanelContext.Provider>
  );
}
