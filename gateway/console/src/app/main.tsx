import './console.css';

import { CSPProvider } from '@base-ui/react/csp-provider';
import { createRoot } from 'react-dom/client';

import { App } from './App';
import { applyTheme } from './theme';

applyTheme();

createRoot(document.getElementById('root')!).render(
  // No component may write a style element: the page's policy would refuse it.
  <CSPProvider disableStyleElements>
    <App />
  </CSPProvider>,
);
