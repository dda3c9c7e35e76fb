/** Envelopes of shippers as `notes/gateways.md` A4 takes them from sources and manuals; those of rsyslog and syslog-ng are real, in `test/fixtures/envelopes`. */
export const WRAPPERS: Readonly<Record<string, { readonly name: string; readonly wrap: (line: string) => string }>> = {
  filebeat: {
    name: 'filebeat',
    wrap: (line) =>
      `{"@timestamp":"2025-12-30T09:34:01.002Z","@metadata":{"beat":"filebeat","type":"_doc","version":"9.1.0"},"message":${JSON.stringify(line)},"log":{"offset":18233,"file":{"path":"/var/log/kong/access.json"}},"input":{"type":"filestream"},"host":{"name":"gw-1"},"agent":{"type":"filebeat"},"ecs":{"version":"8.0.0"}}`,
  },
  'filebeat, message last': {
    name: 'filebeat',
    wrap: (line) => `{"@metadata": {"beat": "filebeat", "tags": ["a", {"b": [1.5e3, null, true, false, -0.1]}]}, "message": ${JSON.stringify(line)}}`,
  },
  'fluent-bit': { name: 'fluent-bit', wrap: (line) => `{"@timestamp":1767087241.002113,"log":${JSON.stringify(line)}}` },
  'fluent-bit in Kubernetes': {
    name: 'docker',
    wrap: (line) =>
      `{"@timestamp":"2025-12-30T09:34:01.002Z","time":"2025-12-30T09:34:01.002123456Z","stream":"stdout","_p":"F","log":${JSON.stringify(line)},"kubernetes":{"pod_name":"gw-1","labels":{"app":"gw"}}}`,
  },
  vector: {
    name: 'vector',
    wrap: (line) =>
      `{"file":"/var/log/nginx/access.log","host":"gw-1","message":${JSON.stringify(line)},"source_type":"file","timestamp":"2025-12-30T09:34:01.002Z"}`,
  },
  'logstash, plain codec': { name: 'logstash', wrap: (line) => `2025-12-30T09:34:01.002Z gw-1 ${line}` },
  'logstash, plain codec, host as an object': { name: 'logstash', wrap: (line) => `2025-12-30T09:34:01.002Z {name=gw-1, ip=[10.0.0.1]} ${line}` },
  'logstash, plain codec, host not filled in': { name: 'logstash', wrap: (line) => `2025-12-30T09:34:01.002Z %{host} ${line}` },
  'logstash, json codec': {
    name: 'logstash',
    wrap: (line) => `{"@timestamp":"2025-12-30T09:34:01.002Z","@version":"1","host":{"name":"gw-1"},"message":${JSON.stringify(line)}}`,
  },
  'logstash, only the original left': {
    name: 'logstash',
    wrap: (line) => `{"@timestamp":"2025-12-30T09:34:01.002Z","@version":"1","event":{"original":${JSON.stringify(line)}}}`,
  },
  docker: { name: 'docker', wrap: (line) => `{"log":${JSON.stringify(`${line}\n`)},"stream":"stdout","time":"2025-12-30T09:34:01.002123456Z"}` },
  cri: { name: 'cri', wrap: (line) => `2025-12-30T09:34:01.002123456Z stdout F ${line}` },
  'cri, other zone': { name: 'cri', wrap: (line) => `2025-12-30T10:34:01.002123456+01:00 stderr F ${line}` },
  'rfc 5424 with structured data': {
    name: 'syslog',
    wrap: (line) => `<134>1 2025-12-30T09:34:01.002Z gw-1 nginx 71 access [origin ip="10.0.0.1"][x note="a\\]b\\"c"] \u{feff}${line}`,
  },
  'rfc 3164 of a process': { name: 'syslog', wrap: (line) => `<13>Dec  3 09:34:01 gw-1 haproxy[1439]: ${line}` },
  'an object of an unknown shipper': { name: 'json', wrap: (line) => `{"tag":"gw","message":${JSON.stringify(line)}}` },
};
