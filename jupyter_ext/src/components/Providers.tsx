/** Who provides: state, what each did, what it earned, and why it was struck. */

import * as React from 'react';

import { INVITE_EXAMPLE } from '../code';
import * as format from '../format';
import { IState, orderedProviders, providerState, ProviderState } from '../model';
import { IProvider } from '../wire';
import { usePanel } from './context';
import { Empty, Section } from './parts';

const PROVIDERS_FOLDED = 8;

export function Providers({ state }: { state: IState }): JSX.Element {
  const { trans } = usePanel();
  const [all, setAll] = React.useState(false);
  const found = orderedProviders(state.providers ?? []);
  const shown = all ? found : found.slice(0, PROVIDERS_FOLDED);
  const here = state.machine?.owned?.provider ?? state.machine?.provider ?? null;
  return (
    <Section
      id="providers"
      title={trans.__('Providers')}
      extra={found.length > 0 ? format.count(found.length) : undefined}
    >
      {state.providers === null ? (
        <Empty name="no-providers">
          {trans.__('Providers are shown with a token only. Add a link that holds one.')}
        </Empty>
      ) : found.length === 0 ? (
        <Empty name="no-providers">
          <p>{trans.__('Nobody provides yet. Invite the owner of a machine:')}</p>
          <pre>{INVITE_EXAMPLE}</pre>
        </Empty>
      ) : (
        <ul className="eco-List eco-mod-tight">
          {shown.map(each => (
            <ProviderLine key={each.id} provider={each} here={each.id === here} />
          ))}
        </ul>
      )}
      {found.length > PROVIDERS_FOLDED && (
        <button className="eco-Button eco-mod-quiet" onClick={() => setAll(!all)}>
          {all ? trans.__('Show fewer') : trans.__('Show all %1', found.length)}
        </button>
      )}
    </Section>
  );
}

function ProviderLine({ provider, here }: { provider: IProvider; here: boolean }): JSX.Element {
  const { trans } = usePanel();
  const state = providerState(provider);
  const words: Record<ProviderState, string> = {
    connected: trans.__('connected'),
    paused: trans.__('paused'),
    away: trans.__('away'),
    revoked: trans.__('revoked')
  };
  return (
    <li className="eco-Provider" data-eco-owner={provider.owner}>
      <span className={`eco-Dot eco-mod-${state}`} role="img" aria-label={words[state]} />
      <div className="eco-Grow">
        <div className="eco-Row eco-mod-between">
          <strong className="eco-Clip" title={provider.id}>
            {provider.owner}
          </strong>
          <span title={format.pointsExactly(provider.posted_mpt)}>
            {trans.__('%1 points', format.points(provider.posted_mpt))}
          </span>
        </div>
        <div className="eco-Provider-facts">
          {[
            words[state],
            here ? trans.__('this machine') : '',
            provider.role === 'trusted' ? trans.__('trusted') : '',
            trans._n('%1 task', '%1 tasks', provider.tasks),
            provider.dissented > 0 ? trans.__('%1 disagreed', format.count(provider.dissented)) : ''
          ]
            .filter(Boolean)
            .join(' · ')}
        </div>
        {provider.strikes > 0 && (
          <div className="eco-mod-bad" data-eco="strikes">
            {trans._n('%1 strike', '%1 strikes', provider.strikes)}
            {reasons(provider.strike_reasons)}
          </div>
        )}
      </div>
    </li>
  );
}

function reasons(found: IProvider['strike_reasons']): string {
  const listed = Object.entries(found ?? {}).map(([reason, times]) => `${times} × ${reason}`);
  return listed.length ? `: ${listed.join(', ')}` : '';
}
