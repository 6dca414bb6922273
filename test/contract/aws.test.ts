import { openAwsStandin } from './aws-fixture.ts'
import { describeProvider } from './provider-contract.ts'

describeProvider('aws', () => openAwsStandin())
