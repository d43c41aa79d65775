/** The network at a glance: who is there, what they do, how much checking it takes. */

import * as React from 'react';

import * as format from '../format';
import { IState, power } from '../model';
import { usePanel } from './context';
import { Figure } from './parts';

export function Overview({ state }: { state: IState }): JSX.Element | null {
  const { trans } = usePanel();
  const { summary } = state;
  if (summary === null) {
    return null;
  }
  const { network, verification } = summary;
  return (
    <dl className="eco-Figures">
      <Figure
        name="providers"
        label={trans.__('Providers')}
        value={format.count(network.providers_connected)}
        unit={trans.__('of %1', format.count(network.providers_known))}
        title={trans.__('Connected, of all that ever joined')}
      />
      <Figure
        name="slots"
        label={trans.__('Slots busy')}
        value={format.count(network.slots_busy)}
        unit={trans.__('of %1', format.count(network.slots))}
        title={trans.__('Tasks under way, of those that providers take at a time')}
      />
      <Figure
        name="attempts"
        label={trans.__('Attempts per task')}
        value={format.number(verification.attempts_per_task)}
        title={trans.__(
          '%1 answers bought for %2 accepted tasks; 1 is the least',
          format.count(verification.attempts),
          format.count(verification.accepted)
        )}
      />
      <Figure
        name="watts"
        label={trans.__('Power')}
        value={format.watts(power(state))}
        title={trans.__('Of all providers that report it, for this network')}
      />
    </dl>
  );
}
