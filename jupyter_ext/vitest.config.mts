import { readFileSync } from 'node:fs';

import { defineConfig, Plugin } from 'vitest/config';

/** Icons are imported as text, as JupyterLab's builder does it. */
const svg: Plugin = {
  name: 'svg',
  enforce: 'pre',
  load(id) {
    return id.endsWith('.svg')
      ? `export default ${JSON.stringify(readFileSync(id, 'utf8'))};`
      : undefined;
  }
};

export default defineConfig({
  plugins: [svg],
  test: {
    environment: 'jsdom',
    include: ['src/__tests__/**/*.spec.{ts,tsx}'],
    setupFiles: ['src/__tests__/setup.ts'],
    server: { deps: { inline: [/@jupyterlab/, /@jupyter\//, /@lumino/, /@rjsf/, /@microsoft/] } }
  }
});
