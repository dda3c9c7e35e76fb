/** What the tests run against: docker-compose.yml names images of the same versions. */
export const KAFKA_VERSION = '4.1.1';
export const ELASTICSEARCH_VERSION = '8.19.0';
