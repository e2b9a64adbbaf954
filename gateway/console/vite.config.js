import { defineConfig } from 'vite';

export default defineConfig({
  root: 'src',
  base: '/console/',
  publicDir: false,
  // React's directives in the packages, which mean nothing here, bring hundreds of warnings.
  logLevel: 'error',
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    rolldownOptions: { input: ['src/index.html', 'src/console.html'] },
    // Everything stays a file of this origin, so that the pages' content policies can be strict.
    assetsInlineLimit: 0,
    // Monaco is one large chunk by nature; a warning on every build would teach nothing.
    chunkSizeWarningLimit: 5000,
  },
});
