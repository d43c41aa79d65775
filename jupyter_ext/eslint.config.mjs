import js from '@eslint/js';
import jupyter from '@jupyter/eslint-plugin';
import prettier from 'eslint-config-prettier';
import hooks from 'eslint-plugin-react-hooks';
import globals from 'globals';
import ts from 'typescript-eslint';

// Its advice counts as rules here: a label that nobody can translate fails the build.
const advice = jupyter.configs.recommended
  .filter(each => each.languageOptions === undefined)
  .map(each => ({
    ...each,
    plugins: { jupyter },
    rules: Object.fromEntries(
      Object.entries(each.rules).map(([rule, level]) => [rule, level === 'warn' ? 'error' : level])
    )
  }));

export default ts.config(
  { ignores: ['lib/', 'labextension/', 'node_modules/', '.yarn/'] },
  js.configs.recommended,
  ...ts.configs.recommended,
  ...advice,
  // It is small, and shows something from the start.
  { rules: { 'jupyter/prefer-lazy-imports': 'off' } },
  hooks.configs['recommended-latest'],
  { files: ['*.cjs', '*.mts'], languageOptions: { globals: globals.node } },
  prettier
);
