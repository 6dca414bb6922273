/** A tree to print as XML: an array of texts or nodes repeats its element. */
export type XmlNode =
  string | number | { readonly [name: string]: XmlNode | readonly XmlNode[] | undefined }

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
}

export function toXml(name: string, node: XmlNode, namespace?: string): string {
  const xmlns = namespace === undefined ? '' : ` xmlns="${namespace}"`
  return `<${name}${xmlns}>${content(node)}</${name}>`
}

function content(node: XmlNode): string {
  if (typeof node !== 'object') return String(node).replace(/[&<>"]/g, (c) => ENTITIES[c] ?? c)
  return Object.entries(node)
    .flatMap(([name, child]) => {
      if (child === undefined) return []
      return (Array.isArray(child) ? (child as readonly XmlNode[]) : [child as XmlNode]).map(
        (one) => toXml(name, one),
      )
    })
    .join('')
}
