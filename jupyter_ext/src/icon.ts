/** The icon of the panel. */

import { LabIcon } from '@jupyterlab/ui-components';

import leaf from '../style/leaf.svg';

export const ecoIcon = new LabIcon({ name: 'eco-dask:leaf', svgstr: leaf });
