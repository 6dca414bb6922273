/** A parameter after validation and canonicalisation. */
export type ParameterValue = string | number | boolean
