/** Jobs: progress, what they cost, how sure they are, who was caught, and the way to stop one. */

import * as React from 'react';

import { JOB_EXAMPLE } from '../code';
import * as format from '../format';
import { IState, ordered, progress } from '../model';
import { IJob, JobState } from '../wire';
import { usePanel } from './context';
import { Bar, Empty, Section } from './parts';

const JOBS_FOLDED = 5;

export function Jobs({ state }: { state: IState }): JSX.Element {
  const { trans } = usePanel();
  const [all, setAll] = React.useState(false);
  const jobs = ordered(state.jobs ?? []);
  const running = jobs.filter(job => job.state === 'running').length;
  const shown = all ? jobs : jobs.slice(0, Math.max(JOBS_FOLDED, running));
  return (
    <Section
      id="jobs"
      title={trans.__('Jobs')}
      extra={running > 0 ? trans._n('%1 running', '%1 running', running) : undefined}
    >
      {state.jobs === null ? (
        <Empty name="no-jobs">
          {trans.__('Jobs are shown with a recruiter’s token only. Add a link that holds one.')}
        </Empty>
      ) : jobs.length === 0 ? (
        <Empty name="no-jobs">
          <p>{trans.__('No job yet. In a notebook:')}</p>
          <pre>{JOB_EXAMPLE}</pre>
        </Empty>
      ) : (
        <ul className="eco-List">
          {shown.map(job => (
            <JobCard key={job.id} job={job} busy={state.busy.has(`cancel ${job.id}`)} />
          ))}
        </ul>
      )}
      {jobs.length > shown.length || all ? (
        <button className="eco-Button eco-mod-quiet" onClick={() => setAll(!all)}>
          {all ? trans.__('Show fewer') : trans.__('Show all %1', jobs.length)}
        </button>
      ) : null}
    </Section>
  );
}

function JobCard({ job, busy }: { job: IJob; busy: boolean }): JSX.Element {
  const { trans, model, confirm } = usePanel();
  const [open, setOpen] = React.useState(job.state === 'running');
  const words: Record<JobState, string> = {
    running: trans.__('running'),
    done: trans.__('done'),
    failed: trans.__('failed'),
    cancelled: trans.__('cancelled')
  };
  const cancel = async (): Promise<void> => {
    const sure = await confirm(
      trans.__('Cancel %1?', job.name),
      trans.__('Tasks that are not done are dropped. What was accepted stays paid.'),
      trans.__('Cancel the job')
    );
    if (sure) {
      await model.cancel(job.id);
    }
  };
  const fraction = progress(job);
  const done = trans.__('%1 of %2 tasks', format.count(job.done), format.count(job.tasks));
  const facts = `eco-job-${job.id}`;
  return (
    <li className={`eco-Job eco-mod-${job.state}`} data-eco-job={job.id}>
      <h4 className="eco-Job-head">
        <button
          className="eco-Section-fold"
          aria-expanded={open}
          aria-controls={facts}
          title={job.name}
          onClick={() => setOpen(!open)}
        >
          <span className="eco-Section-caret" aria-hidden="true" />
          <span className="eco-Clip">{job.name}</span>
        </button>
        <span className={`eco-Chip eco-mod-${job.state}`} data-eco="job-state">
          {words[job.state]}
        </span>
      </h4>
      <Bar
        label={trans.__('Progress of %1', job.name)}
        value={fraction}
        text={done}
        state={job.state}
      />
      <div className="eco-Row eco-mod-between eco-mod-small">
        <span data-eco="job-tasks">{done}</span>
        <span>
          {job.state === 'running' && job.left_s !== null
            ? trans.__('%1 left', format.duration(job.left_s))
            : format.share(fraction)}
        </span>
      </div>
      <div id={facts} hidden={!open}>
        {open && (
          <dl className="eco-Facts">
            <JobFacts job={job} />
          </dl>
        )}
      </div>
      {job.state === 'running' && (
        <button
          className="eco-Button eco-mod-warn"
          data-eco="cancel"
          disabled={busy}
          aria-label={trans.__('Cancel %1', job.name)}
          onClick={() => void cancel()}
        >
          {busy ? trans.__('Cancelling…') : trans.__('Cancel')}
        </button>
      )}
    </li>
  );
}

function JobFacts({ job }: { job: IJob }): JSX.Element {
  const { trans } = usePanel();
  const spent = format.points(job.spent_mpt);
  const sure =
    job.error_worst !== null
      ? trans.__('wrong at most %1', format.oneIn(job.error_worst))
      : job.quorum !== null
        ? trans._n('%1 owner agreed', '%1 owners agreed', job.quorum)
        : format.UNKNOWN;
  const figures = job.energy;
  return (
    <>
      <Fact name="job-spent" label={trans.__('Spent')} title={format.pointsExactly(job.spent_mpt)}>
        {job.budget_mpt !== null
          ? trans.__('%1 of %2 points', spent, format.points(job.budget_mpt))
          : trans.__('%1 points', spent)}
      </Fact>
      <Fact
        name="job-attempts"
        label={trans.__('Verified')}
        title={trans.__('%1 answers were bought from providers', format.count(job.attempts))}
      >
        {trans.__(
          '%1 tasks, %2 attempts each',
          format.count(job.accepted),
          format.number(job.attempts_per_task)
        )}
      </Fact>
      <Fact name="job-sure" label={trans.__('How sure')}>
        {sure}
      </Fact>
      <Fact
        name="job-energy"
        label={trans.__('Energy')}
        title={figures.tier !== null ? trans.__('class %1', figures.tier) : undefined}
      >
        {figures.marginal_uj === null
          ? (figures.unknown ?? trans.__('not known yet'))
          : trans.__(
              '%1, %2 CO₂e',
              format.energy(figures.marginal_uj),
              format.grams(figures.gco2e_central)
            )}
      </Fact>
      {job.erred !== null && job.erred > 0 && (
        <Fact name="job-erred" label={trans.__('Failed')} mod="bad">
          {trans._n('%1 task', '%1 tasks', job.erred)}
        </Fact>
      )}
      {job.caught.length > 0 && (
        <Fact name="job-caught" label={trans.__('Caught')} mod="bad">
          {caughtWords(job.caught)}
        </Fact>
      )}
    </>
  );
}

interface IFact {
  name: string;
  label: string;
  title?: string;
  mod?: string;
  children: React.ReactNode;
}

function Fact({ name, label, title, mod = '', children }: IFact): JSX.Element {
  return (
    <div className={mod && `eco-mod-${mod}`} title={title}>
      <dt>{label}</dt>
      <dd data-eco={name}>{children}</dd>
    </div>
  );
}

/** Owners that were caught, and how often. */
function caughtWords(caught: IJob['caught']): string {
  return caught.map(each => `${each.owner}: ${each.times} × ${each.reason}`).join(', ');
}
