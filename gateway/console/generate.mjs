// Types and typed documents of the console's operations, from the schema: GraphQL Code Generator.
// A field that the schema no longer has ends the build here.

import { readFileSync, writeFileSync } from 'node:fs';

import { codegen } from '@graphql-codegen/core';
import * as typedDocuments from '@graphql-codegen/typed-document-node';
import * as operations from '@graphql-codegen/typescript-operations';
import { buildSchema, parse, validate } from 'graphql';

const SCHEMA = 'schema.graphql';
const OPERATIONS = 'src/app/operations.graphql';
const GENERATED = 'src/app/generated.ts';

const schemaAst = buildSchema(readFileSync(SCHEMA, 'utf8'));
const document = parse(readFileSync(OPERATIONS, 'utf8'));
const mistakes = validate(schemaAst, document);
if (mistakes.length > 0) throw new Error(mistakes.map(String).join('\n'));

const scalars = { ID: 'string', MinorUnits: 'number', CurrencyCode: 'string', DateTime: 'string', Decimal: 'string', EventCursor: 'string' };
const config = { scalars, strictScalars: true, useTypeImports: true, enumsAsTypes: true };

writeFileSync(
  GENERATED,
  await codegen({
    filename: GENERATED,
    schema: parse(readFileSync(SCHEMA, 'utf8')),
    schemaAst,
    documents: [{ location: OPERATIONS, document }],
    config,
    plugins: [{ operations: {} }, { documents: {} }],
    pluginMap: { operations, documents: typedDocuments },
  }),
);
