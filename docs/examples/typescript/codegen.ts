import type { CodegenConfig } from '@graphql-codegen/cli';

const config: CodegenConfig = {
  schema: '../../../schema/schema.graphql',
  documents: 'follow-invoice.ts',
  importExtension: '.js',
  generates: {
    'gen/': {
      preset: 'client',
      presetConfig: { fragmentMasking: false },
      config: {
        strictScalars: true,
        enumsAsTypes: true,
        documentMode: 'string',
        scalars: {
          CurrencyCode: 'string',
          DateTime: 'string',
          Decimal: 'string',
          EventCursor: 'string',
          MinorUnits: 'number',
        },
      },
    },
  },
};

export default config;
