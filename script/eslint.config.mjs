// Holds schema.graphql to graphql-eslint's presets schema-recommended and schema-relay. From the project's folder:
//
//   npm install --no-save eslint graphql @graphql-eslint/eslint-plugin
//   npx eslint -c script/eslint.config.mjs schema.graphql
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
const graphql = createRequire(process.cwd() + '/')('@graphql-eslint/eslint-plugin')
const { parser, configs } = graphql.default ?? graphql

// Parts of records and figures have no identity of their own. docs/api.md lists them, and a test holds that list.
const [, list] = readFileSync('docs/api.md', 'utf8').split('the types without `id`:')
const parts = [...list.trimStart().split('\n\n')[0].matchAll(/`(\w+)`/g)].map(([, name]) => name)

export default [{
  files: ['schema.graphql'],
  languageOptions: { parser, parserOptions: { graphQLConfig: { schema: './schema.graphql' } } },
  plugins: { '@graphql-eslint': graphql.default ?? graphql },
  rules: {
    ...configs['flat/schema-recommended'].rules,
    ...configs['flat/schema-relay'].rules,
    // The printer writes a description of one line as "…" and a longer one as a block; the rule allows one of the two only.
    '@graphql-eslint/description-style': 'off',
    // Histories, addenda, timelines and the access log are paged forward only, which Relay allows.
    '@graphql-eslint/relay-arguments': ['error', { includeBoth: false }],
    // Connections have `nodes` beside `edges`; edges of the access log, of histories and of lots lead to rows, not to records.
    '@graphql-eslint/relay-edge-types': ['error', { withEdgeSuffix: true, shouldImplementNode: false, listTypeCanWrapOnlyEdgeType: false }],
    '@graphql-eslint/strict-id-in-types': ['error', { exceptions: { suffixes: ['Connection', 'Edge', 'Payload'], types: ['PageInfo', ...parts] } }],
    // `SkinType` is the clinical term: no type is called by what it is in GraphQL but this one.
    '@graphql-eslint/naming-convention': ['error', {
      types: 'PascalCase', FieldDefinition: 'camelCase', InputValueDefinition: 'camelCase', Argument: 'camelCase',
      DirectiveDefinition: 'camelCase', EnumValueDefinition: 'UPPER_CASE',
      'FieldDefinition[parent.name.value=Query]': { forbiddenPrefixes: ['query', 'get'], forbiddenSuffixes: ['Query'] },
      'FieldDefinition[parent.name.value=Mutation]': { forbiddenPrefixes: ['mutation'], forbiddenSuffixes: ['Mutation'] },
      EnumTypeDefinition: { forbiddenPrefixes: ['Enum'], forbiddenSuffixes: ['Enum'] },
    }],
  },
}]
