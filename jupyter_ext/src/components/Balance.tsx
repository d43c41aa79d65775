/** Points and energy: how they go, and what they came to today, this month and in total. */

import * as React from 'react';

import * as format from '../format';
import { IState } from '../model';
import { IPeriods, periods, rate } from '../series';
import { IBaseline, IEnergy, IEnergyFigures, Sample } from '../wire';
import { usePanel } from './context';
import { Section, Sparkline } from './parts';

interface ITrend {
  label: string;
  samples: Sample[];
  show: (value: number | null) => string;
}

export function Balance({ state }: { state: IState }): JSX.Element | null {
  const { trans } = usePanel();
  const { summary, series } = state;
  if (summary === null) {
    return null;
  }
  const posted = series.posted_mpt ?? [];
  const watts = series.watts ?? [];
  const { points, energy } = summary;
  const perMinute = rate(posted).map(([at, perSecond]): Sample => [
    at,
    perSecond === null ? null : perSecond * 60
  ]);
  const lines: [string, Sample[], ITrend['show']][] = [
    [trans.__('Points paid per minute'), perMinute, format.points],
    [trans.__('Power'), watts, format.watts]
  ];
  return (
    <Section id="balance" title={trans.__('Points and energy')}>
      {lines.some(([, samples]) => samples.length > 1) ? (
        lines.map(([label, samples, show]) => (
          <Trend key={label} label={label} samples={samples} show={show} />
        ))
      ) : (
        <p className="eco-Hint">
          {trans.__('The last hour is drawn here, from the first minute on.')}
        </p>
      )}
      <table className="eco-Table">
        <thead>
          <tr>
            <td />
            <th scope="col">{trans.__('Today')}</th>
            <th scope="col">{trans.__('Month')}</th>
            <th scope="col">{trans.__('Total')}</th>
          </tr>
        </thead>
        <tbody>
          <Line
            name="paid"
            label={trans.__('Points')}
            found={periods(points.posted_mpt, state.starts.posted_mpt)}
            show={format.points}
          />
          <Line
            name="energy"
            label={trans.__('Energy')}
            found={periods(energy.marginal_uj, state.starts.marginal_uj)}
            show={format.energy}
          />
        </tbody>
      </table>
      <dl className="eco-Facts">
        <div>
          <dt>{trans.__('Pending')}</dt>
          <dd data-eco="pending">{trans.__('%1 points', format.points(points.pending_mpt))}</dd>
        </div>
        {energy.marginal_uj !== null && <Carbon figures={energy} />}
      </dl>
      {energy.marginal_uj === null && (
        <p className="eco-Hint" data-eco="no-energy">
          {energy.unknown ?? trans.__('No provider has told its energy yet.')}
        </p>
      )}
    </Section>
  );
}

function Carbon({ figures }: { figures: IEnergy }): JSX.Element {
  const { trans } = usePanel();
  return (
    <>
      <div>
        <dt>{trans.__('CO₂e')}</dt>
        <dd data-eco="carbon">{ranged(figures)}</dd>
      </div>
      {figures.baseline !== null && <Baseline found={figures.baseline} />}
      {figures.tier !== null && (
        <div>
          <dt>{trans.__('Class')}</dt>
          <dd data-eco="tier">{trans.__('%1, of A (metered) to D (defaults)', figures.tier)}</dd>
        </div>
      )}
    </>
  );
}

/** What the same work takes elsewhere; a loss is shown as one. */
function Baseline({ found }: { found: IBaseline }): JSX.Element {
  const { trans } = usePanel();
  const more = found.saved_uj < 0;
  const range = more
    ? [-found.saved_high_uj, -found.saved_low_uj]
    : [found.saved_low_uj, found.saved_high_uj];
  const shown = range.map(format.energy).join(' – ');
  const saved = more
    ? trans.__('%1 more here (%2)', format.energy(-found.saved_uj), shown)
    : trans.__('%1 less here (%2)', format.energy(found.saved_uj), shown);
  return (
    <div title={trans.__('Estimate (%1) for the same work in a cloud, and its range', found.name)}>
      <dt>{trans.__('Cloud')}</dt>
      <dd data-eco="baseline">{saved}</dd>
    </div>
  );
}

type Range = Pick<IEnergyFigures, 'gco2e_low' | 'gco2e_central' | 'gco2e_high'>;

function ranged({ gco2e_low, gco2e_central, gco2e_high }: Range): string {
  const central = format.grams(gco2e_central);
  return gco2e_low === null || gco2e_high === null
    ? central
    : `${central} (${format.grams(gco2e_low)} – ${format.grams(gco2e_high)})`;
}

function Trend({ label, samples, show }: ITrend): JSX.Element {
  const { trans } = usePanel();
  const last = samples.length ? samples[samples.length - 1][1] : null;
  return (
    <div className="eco-Trend">
      <div className="eco-Row eco-mod-between">
        <span className="eco-Label">{trans.__('%1, last hour', label)}</span>
        <span>{show(last)}</span>
      </div>
      <Sparkline label={`${label}: ${show(last)}`} samples={samples} />
    </div>
  );
}

interface ILine {
  name: string;
  label: string;
  found: IPeriods;
  show: (value: number | null) => string;
}

function Line({ name, label, found, show }: ILine): JSX.Element {
  return (
    <tr>
      <th scope="row">{label}</th>
      <td data-eco={`${name}-today`}>{show(found.today)}</td>
      <td data-eco={`${name}-month`}>{show(found.month)}</td>
      <td data-eco={`${name}-total`}>{show(found.total)}</td>
    </tr>
  );
}
