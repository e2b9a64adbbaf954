import './console.css';

import { createRoot } from 'react-dom/client';

import { App } from './App';
import { applyTheme } from './theme';

applyTheme();

createRoot(document.getElementById('root')!).render(<App />);
