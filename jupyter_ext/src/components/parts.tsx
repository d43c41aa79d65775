/** Small parts: sections, figures, bars, lines. */

import * as React from 'react';

import { linePath } from '../series';
import { Sample } from '../wire';

interface ISection {
  id: string;
  title: string;
  /** Shown beside the title. */
  extra?: React.ReactNode;
  open?: boolean;
  children: React.ReactNode;
}

/** A part of the panel that folds away. */
export function Section({ id, title, extra, open = true, children }: ISection): JSX.Element {
  // As it is suggested, until somebody folds it.
  const [folded, setFolded] = React.useState<boolean | null>(null);
  const shown = folded === null ? open : !folded;
  return (
    <section className="eco-Section" aria-labelledby={`eco-${id}-title`}>
      <h3 className="eco-Section-title" id={`eco-${id}-title`}>
        <button
          className="eco-Section-fold"
          aria-expanded={shown}
          aria-controls={`eco-${id}-body`}
          onClick={() => setFolded(shown)}
        >
          <span className="eco-Section-caret" aria-hidden="true" />
          <span>{title}</span>
        </button>
        {extra !== undefined && <span className="eco-Section-extra">{extra}</span>}
      </h3>
      <div className="eco-Section-body" id={`eco-${id}-body`} hidden={!shown}>
        {shown && children}
      </div>
    </section>
  );
}

interface IFigure {
  name: string;
  label: string;
  value: string;
  /** Smaller, after the value. */
  unit?: string;
  /** More, when the pointer rests on it. */
  title?: string;
}

/** A number with its label. */
export function Figure({ name, label, value, unit, title }: IFigure): JSX.Element {
  return (
    <div className="eco-Figure" title={title}>
      <dt>{label}</dt>
      <dd>
        <span data-eco={name}>{value}</span>
        {unit !== undefined && <small> {unit}</small>}
      </dd>
    </div>
  );
}

interface IBar {
  label: string;
  /** From 0 to 1; null where it is not known. */
  value: number | null;
  text: string;
  state?: string;
}

export function Bar({ label, value, text, state = '' }: IBar): JSX.Element {
  const percent = value === null ? undefined : Math.round(value * 100);
  return (
    <div
      className={`eco-Bar ${state && `eco-mod-${state}`}`}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
      aria-valuetext={text}
    >
      <div className="eco-Bar-done" style={{ width: `${percent ?? 0}%` }} />
    </div>
  );
}

const LINE_WIDTH = 240;
const LINE_HEIGHT = 28;

/** A small line of a time series; nothing before there are two samples. */
export function Sparkline({ label, samples }: { label: string; samples: Sample[] }): JSX.Element {
  const path = linePath(samples, LINE_WIDTH, LINE_HEIGHT);
  return (
    <svg
      className="eco-Sparkline"
      viewBox={`0 -2 ${LINE_WIDTH} ${LINE_HEIGHT + 4}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      <title>{label}</title>
      <path className="eco-Sparkline-base" d={`M0 ${LINE_HEIGHT}H${LINE_WIDTH}`} />
      {path && <path className="eco-Sparkline-line" d={path} />}
    </svg>
  );
}

interface IEmpty {
  name: string;
  children: React.ReactNode;
}

/** Why there is nothing to see, and what to do. */
export function Empty({ name, children }: IEmpty): JSX.Element {
  return (
    <div className="eco-Empty" data-eco={name}>
      {children}
    </div>
  );
}
