// Light, dark, or as the system has it: what was chosen is the only thing that is kept on disk.

import { Store } from './store';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const NAME = 'invoice-payments-theme';

const isTheme = (value: string | null): value is Theme => THEMES.includes(value as Theme);

export const theme = new Store<Theme>(isTheme(localStorage.getItem(NAME)) ? (localStorage.getItem(NAME) as Theme) : 'system');

export function applyTheme(next: Theme = theme.get()): void {
  theme.set(next);
  localStorage.setItem(NAME, next);
  document.documentElement.dataset.theme = next;
}
