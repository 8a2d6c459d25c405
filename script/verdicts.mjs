// Documents by rule from a schema, each with what graphql-js says of it: valid or invalid.
//
//   npm install graphql && node script/verdicts.mjs SCHEMA.graphql [MOST] > documents.tsv
//
// A line is: the rule, the verdict, the document, with tabs between. With MOST only so many documents of each rule are
// kept, valid and invalid apart. The table that the tests hold the gate to is src/gate/rules/verdicts/documents.tsv: made
// of the schema beside it, with 12. Of schema.graphql there are some 4,900.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
const {
  buildSchema, parse, validate, isListType, isNonNullType, isEnumType, isInputObjectType, isCompositeType, isObjectType,
  isAbstractType, isLeafType, isUnionType, getNamedType, getNullableType,
} = createRequire(process.cwd() + '/')('graphql')

const schema = buildSchema(readFileSync(process.argv[2], 'utf8'))
const most = Number(process.argv[3] ?? Infinity)
const types = Object.values(schema.getTypeMap()).filter((type) => !type.name.startsWith('__'))
const made = []
const add = (rule, ...texts) => texts.forEach((text) => made.push([rule, text.replace(/\s+/g, ' ').trim()]))

// A literal that fits a type.
function fits(type, depth = 0) {
  if (isNonNullType(type)) return fits(type.ofType, depth)
  if (isListType(type)) return `[${fits(type.ofType, depth)}]`
  if (isEnumType(type)) return type.getValues()[0].name
  if (isInputObjectType(type)) {
    const needed = Object.values(type.getFields()).filter((field) => isNonNullType(field.type) && field.defaultValue === undefined)
    return depth > 6 ? '{}' : `{${needed.map((field) => `${field.name}: ${fits(field.type, depth + 1)}`).join(', ')}}`
  }
  return { Int: '3', Float: '1.5', Boolean: 'true' }[type.name] ?? '"x"'
}
const needed = (field) => field.args.filter((arg) => isNonNullType(arg.type) && arg.defaultValue === undefined)
const call = (field, given = {}) => {
  const all = { ...Object.fromEntries(needed(field).map((arg) => [arg.name, fits(arg.type)])), ...given }
  const parts = Object.entries(all).map(([name, value]) => `${name}: ${value}`)
  return field.name + (parts.length ? `(${parts.join(', ')})` : '')
}
// The selection that a field of this type needs.
const below = (type) => (isLeafType(getNamedType(type)) ? '' : ' { __typename }')

// The way from a root to each composite type.
const ways = new Map()
for (const [kind, root] of [['query', schema.getQueryType()], ['mutation', schema.getMutationType()]]) {
  if (!root) continue
  const queue = [[root, (inner) => `{ ${inner} }`]]
  if (!ways.has(root.name)) ways.set(root.name, { kind, wrap: queue[0][1] })
  while (queue.length) {
    const [type, wrap] = queue.shift()
    if (isUnionType(type)) continue
    for (const field of Object.values(type.getFields())) {
      const next = getNamedType(field.type)
      if (!isCompositeType(next) || ways.has(next.name)) continue
      const way = (inner) => wrap(`${call(field)} { ${inner} }`)
      ways.set(next.name, { kind, wrap: way })
      queue.push([next, way])
    }
  }
}
const composites = types.filter((type) => isCompositeType(type) && ways.has(type.name))
const objects = composites.filter((type) => !isUnionType(type))
const at = (type, inner, head = '') => `${ways.get(type.name).kind} ${head} ${ways.get(type.name).wrap(inner)}`
const every = (list, most) => list.filter((_, i) => Math.floor((i * most) / list.length) !== Math.floor(((i - 1) * most) / list.length) || most >= list.length)
const allFields = objects.flatMap((type) => Object.values(type.getFields()).map((field) => ({ type, field })))
const withArgs = allFields.filter(({ field }) => field.args.length)
const leaves = allFields.filter(({ field }) => isLeafType(getNamedType(field.type)) && !needed(field).length)
const branches = allFields.filter(({ field }) => isCompositeType(getNamedType(field.type)))
const inputs = withArgs.flatMap(({ type, field }) => field.args.map((arg) => ({ type, field, arg })))
const objectsIn = inputs.filter(({ arg }) => isInputObjectType(getNamedType(arg.type)))

for (const type of every(objects, 40)) {
  add('FieldsOnCorrectType', at(type, '__typename'), at(type, 'noSuchField'), at(type, 'x: noSuchField { id }'))
  add('KnownTypeNames', at(type, '... on NoSuchType { __typename }'), at(type, `... on ${type.name} { __typename }`))
  add('KnownFragmentNames', at(type, '...Missing'), `${at(type, '...F')} fragment F on ${type.name} { __typename }`)
  add('UniqueFragmentNames', `${at(type, '...F')} fragment F on ${type.name} { __typename } fragment F on ${type.name} { t: __typename }`)
  add('NoUnusedFragments', `${at(type, '__typename')} fragment F on ${type.name} { __typename }`)
  add('NoFragmentCycles', `${at(type, '...F')} fragment F on ${type.name} { ...F }`)
}
for (const { type, field } of every(leaves, 60)) {
  add('ScalarLeafs', at(type, field.name), at(type, `${field.name} { id }`))
  add('OverlappingFields', at(type, `${field.name} ${field.name}`), at(type, `a: ${field.name} a: __typename`), at(type, `a: ${field.name} ... { a: ${field.name} }`))
  add('KnownArgumentNames', at(type, `${field.name}(nope: 1)`))
  add('KnownDirectives', at(type, `${field.name} @nope`), at(type, `${field.name} @include(if: true)`), at(type, `${field.name} @include`),
    at(type, `${field.name} @skip(if: "yes")`), at(type, `${field.name} @deprecated`), at(type, `${field.name} @skip(if: null)`))
  add('UniqueDirectives', at(type, `${field.name} @skip(if: true) @skip(if: false)`), at(type, `${field.name} @skip(if: true) @include(if: false)`))
  add('VariablesOfDirectives', at(type, `${field.name} @skip(if: $b)`, '($b: Boolean!)'), at(type, `${field.name} @skip(if: $b)`, '($b: Boolean)'),
    at(type, `${field.name} @skip(if: $b)`, '($b: Boolean = true)'), at(type, `${field.name} @skip(if: $b)`, '($b: String!)'), at(type, `${field.name} @skip(if: $b)`))
}
for (const { type, field } of every(branches, 50)) {
  const inner = getNamedType(field.type)
  add('ScalarLeafs', at(type, call(field)), at(type, `${call(field)} { __typename }`))
  add('OverlappingFields', at(type, `x: ${call(field)} { a: __typename } x: ${call(field)} { a: __typename b: __typename }`))
  if (isUnionType(inner)) add('FieldsOnCorrectType', at(type, `${call(field)} { id }`), at(type, `${call(field)} { ... on ${inner.getTypes()[0].name} { __typename } }`))
  if (isObjectType(inner)) {
    const own = Object.values(inner.getFields()).filter((it) => isLeafType(getNamedType(it.type)) && !needed(it).length)
    if (own.length > 1) {
      add('OverlappingFields', at(type, `${call(field)} { a: ${own[0].name} } ${call(field)} { a: ${own[1].name} }`),
        `${at(type, `${call(field)} { ...A } ${call(field)} { ...B }`)} fragment A on ${inner.name} { a: ${own[0].name} } fragment B on ${inner.name} { a: ${own[1].name} }`,
        `${at(type, `${call(field)} { ...A ...A }`)} fragment A on ${inner.name} { a: ${own[0].name} }`)
    }
  }
}
// Fields of objects that can't both be there: names may differ, shapes not.
for (const union of every(composites.filter((type) => isAbstractType(type)), 12)) {
  const members = schema.getPossibleTypes(union)
  const leaf = (type, like) => Object.values(type.getFields()).find((it) => !needed(it).length && like(it.type))
  for (const other of every(members.slice(1), 8)) {
    const [one, two] = [members[0], other]
    const text = [leaf(one, (t) => String(t) === 'String!'), leaf(two, (t) => String(t) === 'String!')]
    const maybe = leaf(two, (t) => String(t) === 'String')
    const number = leaf(two, (t) => String(t) === 'Int!')
    const id = [leaf(one, (t) => String(t) === 'ID!'), leaf(two, (t) => String(t) === 'ID!')]
    const pair = (a, b) => at(union, `... on ${one.name} { a: ${a.name} } ... on ${two.name} { a: ${b.name} }`)
    if (text[0] && text[1]) add('OverlappingFields', pair(text[0], text[1]))
    if (text[0] && maybe) add('OverlappingFields', pair(text[0], maybe))
    if (text[0] && number) add('OverlappingFields', pair(text[0], number))
    if (id[0] && id[1]) add('OverlappingFields', pair(id[0], id[1]))
    add('PossibleFragmentSpreads', at(union, `... on ${two.name} { __typename }`), at(union, `... on ${one.name} { ... on ${two.name} { __typename } }`))
  }
}
for (const [i, type] of every(objects, 60).entries()) {
  const other = objects[(i * 7 + 3) % objects.length]
  add('PossibleFragmentSpreads', at(type, `... on ${other.name} { __typename }`), `${at(type, '...F')} fragment F on ${other.name} { __typename }`,
    at(type, `... on ${other.name} { __typename }`.replace(other.name, schema.getQueryType().name)))
}
for (const leaf of every(types.filter((type) => !isCompositeType(type)), 30)) {
  add('FragmentsOnCompositeTypes', `{ ... on ${leaf.name} { x } }`, `{ ...F } fragment F on ${leaf.name} { x }`)
}
for (const { type, field } of every(withArgs, 80)) {
  add('ProvidedRequiredArguments', at(type, `${field.name}${below(field.type)}`), at(type, `${call(field)}${below(field.type)}`))
  add('KnownArgumentNames', at(type, `${call(field, { nope: 1 })}${below(field.type)}`))
  const arg = field.args[0]
  const once = `${arg.name}: ${fits(arg.type)}`
  const rest = needed(field).filter((it) => it !== arg).map((it) => `, ${it.name}: ${fits(it.type)}`).join('')
  add('UniqueArgumentNames', at(type, `${field.name}(${once}, ${once}${rest})${below(field.type)}`))
  add('OverlappingFields', at(type, `a: ${field.name}(${once}${rest})${below(field.type)} a: ${call(field)}${below(field.type)}`))
}
const wrongs = ['"text"', '3', '1.5', 'true', 'WORD', 'null', '[]', '[null]', '{}', '{nope: 1}', '99999999999', '-2147483648', '-2147483649', '2147483647', '2147483648', '"""block"""', '[[1]]']
for (const [i, { type, field, arg }] of every(inputs, 110).entries()) {
  const ask = (value, head) => at(type, `${call(field, { [arg.name]: value })}${below(field.type)}`, head)
  for (let k = 0; k < 4; k++) add('ValuesOfCorrectType', ask(wrongs[(i * 4 + k) % wrongs.length]))
  const named = getNamedType(arg.type)
  if (isEnumType(named)) add('EnumValues', ask('NO_SUCH_WORD'), ask(named.getValues().at(-1).name), ask(`"${named.getValues()[0].name}"`), ask(`[${named.getValues()[0].name}]`))
  const nullable = getNullableType(arg.type)
  const plain = String(nullable)
  for (const head of [plain, `${plain}!`, `[${plain}]`, isListType(nullable) ? String(nullable.ofType) : `[${plain}!]!`, 'Boolean', 'ID!', 'NoSuchType', schema.getQueryType().name].filter((_, k) => k < 2 || (i + k) % 2)) {
    add('VariablesInAllowedPosition', ask('$v', `($v: ${head})`))
  }
  add('VariablesInAllowedPosition', ask('$v', `($v: ${plain} = ${fits(arg.type)})`), ask('$v', `($v: ${plain} = null)`))
  add('NoUndefinedVariables', ask('$nope'), ask('$v', `($w: ${plain})`))
  if (isListType(nullable)) add('VariablesInLists', ask('[$v]', `($v: ${nullable.ofType})`), ask('[$v]', `($v: ${getNullableType(nullable.ofType)})`), ask('[$v]', '($v: Boolean!)'), ask('[null]'))
}
for (const { type, field, arg } of every(objectsIn, 70)) {
  const input = getNamedType(arg.type)
  const fields = Object.values(input.getFields())
  const whole = (extra, without) => {
    const must = fields.filter((it) => isNonNullType(it.type) && it.defaultValue === undefined && it.name !== without && !(it.name in extra))
    return `{${[...must.map((it) => `${it.name}: ${fits(it.type)}`), ...Object.entries(extra).map(([name, value]) => `${name}: ${value}`)].join(', ')}}`
  }
  const ask = (value, head) => at(type, `${call(field, { [arg.name]: value })}${below(field.type)}`, head)
  const some = fields[fields.length >> 1]
  add('InputObjects', ask(whole({})), ask(whole({ nope: 1 })), ask(whole({ [some.name]: 'null' })), ask(whole({ [some.name]: 'WORD' })))
  const must = fields.find((it) => isNonNullType(it.type) && it.defaultValue === undefined)
  if (must) add('InputObjects', ask(whole({}, must.name)), ask(whole({ [must.name]: 'null' })))
  add('UniqueInputFieldNames', ask(whole({ [some.name]: fits(some.type) }).replace(/}$/, `, ${some.name}: ${fits(some.type)}}`)))
  const bare = getNullableType(some.type)
  add('VariablesInInputs', ask(whole({ [some.name]: '$v' }), `($v: ${some.type})`), ask(whole({ [some.name]: '$v' }), `($v: ${bare})`),
    ask(whole({ [some.name]: '$v' }), '($v: Boolean)'), ask(whole({ [some.name]: '$v' })))
  if (must) add('VariablesInInputs', ask(whole({ [must.name]: '$v' }), `($v: ${getNullableType(must.type)})`), ask(whole({ [must.name]: '$v' }), `($v: ${must.type})`),
    ask(whole({ [must.name]: '$v' }), `($v: ${getNullableType(must.type)} = ${fits(must.type)})`))
}
for (const type of every(types.filter((type) => !isCompositeType(type)), 40)) {
  const use = `{ __typename @include(if: $v) }`
  add('DefaultValues', `query ($v: ${type.name} = ${fits(type)}) ${use}`, `query ($v: ${type.name}! = null) ${use}`)
}
for (const value of wrongs) {
  add('DefaultValues', `query ($b: Boolean! = ${value}) { __typename @include(if: $b) }`, `query ($b: Boolean = ${value}) { __typename @include(if: $b) }`)
}
// No subscription: where a schema has none, graphql-js leaves it to the execution to refuse one.
add('Operations', '{ __typename } { __typename }', 'query A { __typename } { __typename }', 'query A { __typename } query B { __typename }',
  'query A { __typename } query A { t: __typename }', 'query A { __typename } mutation A { __typename }', 'mutation { noSuchField }',
  'query A { __typename } fragment A on Query { __typename }', '{ __schema { queryType { name } } }', '{ __type(name: "Query") { fields { name } } }',
  '{ __type { name } }', '{ __schema }', 'mutation { __schema { queryType { name } } }', 'query ($a: Int) { __typename }',
  'query ($a: Boolean!, $a: Boolean!) { __typename @skip(if: $a) }', 'query ($a: Boolean!, $b: Int) { __typename @skip(if: $a) }',
  'query A($a: Boolean!) { ...F } query B { ...F } fragment F on Query { __typename @skip(if: $a) }',
  'query A($a: Boolean!) { ...F } query B($a: Boolean!) { ...F } fragment F on Query { __typename @skip(if: $a) }',
  'query A($a: Boolean!) { ...F } query B($a: Int) { ...F } fragment F on Query { __typename @skip(if: $a) }',
  'query @skip(if: true) { __typename }', 'query ($a: Boolean! @nope) { __typename @skip(if: $a) }', 'type A { a: Int }', 'query { __typename } type A { a: Int }',
  '{ ... @skip(if: true) { __typename } }', '{ ... @nope { __typename } }', '{ ...F @include(if: false) } fragment F on Query { __typename }',
  '{ ...F } fragment F on Query @nope { __typename }', '{ ...F } fragment F on Query { ...G } fragment G on Query { ...F }',
  '{ ... @defer { __typename } }', '{ __typename @stream }', '{ ...F @defer(label: "a") } fragment F on Query { __typename }')

// Each once, with the verdict; of a rule's valid ones and of its invalid ones so many as were asked for.
const judged = new Map()
for (const [text, rule] of new Map(made.map(([rule, text]) => [text, rule]))) {
  let verdict = 'invalid'
  try {
    if (!validate(schema, parse(text)).length) verdict = 'valid'
  } catch {}
  const key = `${rule}\t${verdict}`
  judged.set(key, [...(judged.get(key) ?? []), text])
}
for (const [key, texts] of judged) for (const text of every(texts, most)) console.log(`${key}\t${text}`)
