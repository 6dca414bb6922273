/** The URL, if keys may be fetched from it: https, or plain http to this machine (R15). */
export function fetchableUrl(text: string): URL | null {
  if (!URL.canParse(text)) return null
  const url = new URL(text)
  if (url.username !== '' || url.password !== '') return null
  return url.protocol === 'https:' || isLoopback(url) ? url : null
}

export function isLoopback(url: URL): boolean {
  return url.protocol === 'http:' && ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname)
}
