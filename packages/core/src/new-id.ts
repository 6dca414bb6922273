export type IdPrefix = 'tsk' | 'lea' | 'dec' | 'req' | 'evt' | 'frz' | 'cnt'
export type NewId = (prefix: IdPrefix) => string
