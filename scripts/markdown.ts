/** A generated page. */
export function page(title: string, ...parts: readonly string[]): string {
  return `<!-- Written by \`npm run docs\`. -->\n\n# ${title}\n\n${parts.join('\n')}`
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`)
  return `${lines.join('\n')}\n`
}

/** Text that does not end the cell that it is in. */
export function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ').trim()
}
